//! Tables between two marks of a Markdown file: `<!-- NAME -->` and `<!-- end -->`, each a line of its own.

use std::path::Path;

const END: &str = "<!-- end -->";

/// A table, and the name of the mark above it.
pub struct Marked {
    pub name: &'static str,
    pub table: String,
}

/// Prints the tables, or puts each of them that a file has the marks of into that file; it must have those of one.
pub fn write(tables: &[Marked], into: &[impl AsRef<Path>]) -> Result<(), String> {
    if into.is_empty() {
        tables.iter().for_each(|marked| println!("{}", marked.table));
    }
    for path in into.iter().map(AsRef::as_ref) {
        let mut text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut written = 0;
        for Marked { name, table } in tables {
            let begin = format!("<!-- {name} -->\n");
            let Some((before, rest)) = text.split_once(&begin) else { continue };
            let (_, after) = rest.split_once(END).ok_or(format!("{} has no {END} after {begin}", path.display()))?;
            text = format!("{before}{begin}{table}{END}{after}");
            written += 1;
        }
        if written == 0 {
            let names: Vec<_> = tables.iter().map(|marked| marked.name).collect();
            return Err(format!("{} has none of the marks {}", path.display(), names.join(", ")));
        }
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}
