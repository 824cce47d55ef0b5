//! What the headers in include/ declare, read from their text: bregman.h, or the one that is named.

#![allow(dead_code, reason = "not every test that shares this file asks for everything")]

use std::collections::{BTreeMap, BTreeSet};

/// A function's name and its parameters as written, such as `const float *logits`.
pub struct Function {
    pub name: String,
    pub parameters: Vec<String>,
}

impl Function {
    /// The names of the parameters that are pointers.
    pub fn pointers(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(|p| p.contains('*')).map(|p| last_word(p))
    }
}

const MAIN: &str = include_str!("../../include/bregman.h");
/// The header of src/decisions.
pub const DECISIONS: &str = include_str!("../../include/bregman_decisions.h");

/// A header without its comments.
fn code(mut text: &str) -> String {
    let mut code = String::new();
    while let Some((before, rest)) = text.split_once("/*") {
        code.push_str(before);
        text = rest.split_once("*/").expect("comments end").1;
    }
    code.push_str(text);
    // `extern "C"` and preprocessor lines stand between declarations.
    code.lines().map(|line| line.split_once("//").map_or(line, |(before, _)| before)).collect::<Vec<_>>().join("\n")
}

fn last_word(text: &str) -> &str {
    text.trim().rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().expect("rsplit gives something")
}

/// Every `#define` with a value.
pub fn defines() -> BTreeMap<String, u64> {
    defines_of(MAIN)
}

pub fn defines_of(header: &str) -> BTreeMap<String, u64> {
    let code = code(header);
    let define = |line: &str| {
        let mut words = line.strip_prefix("#define ")?.split_whitespace();
        let (name, value) = (words.next()?, words.next()?);
        Some((name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}"))))
    };
    code.lines().filter_map(define).collect()
}

/// Every function in order.
pub fn functions() -> Vec<Function> {
    functions_of(MAIN)
}

pub fn functions_of(header: &str) -> Vec<Function> {
    let code: String = code(header).lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let mut functions = Vec::new();
    for statement in code.split(';') {
        let Some((head, tail)) = statement.split_once('(') else { continue };
        let name = last_word(head);
        // A typedef of a pointer to a function has its name behind the parenthesis.
        if !name.starts_with("bregman_") {
            continue;
        }
        let list = tail.rsplit_once(')').expect("a prototype has both parentheses").0;
        let parameters = list.split(',').map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
        let parameters = parameters.filter(|p| p != "void").collect();
        functions.push(Function { name: name.to_owned(), parameters });
    }
    functions
}

/// Every struct's name and the declarations in its body.
fn structs(header: &str) -> Vec<(String, Vec<String>)> {
    let code = code(header);
    let body = |part: &str| {
        let (name, rest) = part.split_once('{').filter(|(name, _)| !name.contains(';'))?;
        let body = rest.split_once('}').expect("a struct ends").0;
        let declarations = body.split(';').map(str::trim).filter(|d| !d.is_empty()).map(str::to_owned).collect();
        Some((name.trim().to_owned(), declarations))
    };
    code.split("typedef struct ").skip(1).filter_map(body).collect()
}

/// The name in `result (*name)(parameters)`.
fn function_pointer(declaration: &str) -> Option<&str> {
    Some(declaration.split_once("(*")?.1.split_once(')')?.0)
}

/// Every field of every struct that holds data, as `bregman_result.token`.
pub fn fields() -> BTreeSet<String> {
    fields_of(MAIN)
}

pub fn fields_of(header: &str) -> BTreeSet<String> {
    let structs = structs(header);
    let fields = structs.iter().flat_map(|(name, declarations)| {
        let data = declarations.iter().filter(|d| function_pointer(d).is_none());
        data.map(move |d| format!("{name}.{}", last_word(d)))
    });
    fields.collect()
}

/// The functions of `bregman_api`, in order.
pub fn table() -> Vec<String> {
    table_of(MAIN, "bregman_api")
}

/// The functions of a table, in order.
pub fn table_of(header: &str, table: &str) -> Vec<String> {
    let structs = structs(header);
    let (_, declarations) = structs.iter().find(|(name, _)| name == table).expect("the header has the table");
    declarations.iter().filter_map(|d| function_pointer(d)).map(str::to_owned).collect()
}
