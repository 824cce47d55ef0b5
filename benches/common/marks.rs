//! Tables between two marks of a Markdown file: `<!-- NAME -->` and `<!-- end -->`, each a line of its own.

use std::path::Path;

const END: &str = "<!-- end -->";

/// A table, and the name of the mark above it.
pub struct Marked {
    pub name: &'static str,
    /// None where a record has no figures for it: what a file has between the marks stays.
    pub table: Option<String>,
}

/// Prints the tables, or puts each of them that a file has the marks of into that file; it must have those of one.
pub fn write(tables: &[Marked], into: &[impl AsRef<Path>]) -> Result<(), String> {
    if tables.iter().all(|marked| marked.table.is_none()) {
        return Err("there are no figures for a table".into());
    }
    if into.is_empty() {
        tables.iter().filter_map(|marked| marked.table.as_ref()).for_each(|table| println!("{table}"));
    }
    for path in into.iter().map(AsRef::as_ref) {
        let mut text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut found = 0;
        for Marked { name, table } in tables {
            let begin = format!("<!-- {name} -->\n");
            let Some((before, rest)) = text.split_once(&begin) else { continue };
            let (_, after) = rest.split_once(END).ok_or(format!("{} has no {END} after {begin}", path.display()))?;
            match table {
                Some(table) => text = format!("{before}{begin}{table}{END}{after}"),
                None => println!("{}: not written, for want of figures: {name}", path.display()),
            }
            found += 1;
        }
        if found == 0 {
            let names: Vec<_> = tables.iter().map(|marked| marked.name).collect();
            return Err(format!("{} has none of the marks {}", path.display(), names.join(", ")));
        }
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}
