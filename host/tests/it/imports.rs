//! Files of a crate do not import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Folders and files that still have circles; their imports are not checked.
const EXEMPT: &[&str] = &["host/xtask/src/services/"];

/// A path such as `crate::catalog::Event`, by its segments.
type ItemPath = Vec<String>;

/// The imports of one file.
#[derive(Default)]
struct Imports {
    /// Paths that the file uses, except those of re-exports.
    paths: Vec<ItemPath>,
    /// Names that `use` brings into the module, with their paths; `*` for globs.
    names: Vec<(String, ItemPath)>,
}

/// The modules of one crate, by module path.
struct Crate {
    files: BTreeMap<ItemPath, (String, Rc<Imports>)>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The source folders of all crates of the workspace.
fn sources() -> Vec<PathBuf> {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let mut folders = Vec::new();
    for member in members.iter().map(|member| member.as_str().unwrap()) {
        match member.strip_suffix("/*") {
            Some(parent) => {
                let entries = std::fs::read_dir(root().join(parent)).unwrap();
                folders.extend(entries.map(|entry| entry.unwrap().path().join("src")));
            }
            None => folders.push(root().join(member).join("src")),
        }
    }
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    folders
}

/// The tokens of a source text that matter here: identifiers, `::` and single characters. Comments, strings and
/// characters in quotes are left out.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let starts_with = |prefix: &str| {
            prefix.chars().zip(rest).filter(|(one, other)| one == *other).count() == prefix.len()
        };
        if starts_with("//") {
            at += rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
        } else if starts_with("/*") {
            at += block_comment(rest);
        } else if let Some(length) = raw_string(rest) {
            at += length;
        } else if rest[0] == '"' {
            at += quoted(rest, '"');
        } else if rest[0] == '\'' {
            // A lifetime has no closing quote right after its first character.
            at +=
                if rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'') { quoted(rest, '\'') } else { 1 };
        } else if rest[0].is_alphabetic() || rest[0] == '_' {
            let word: String = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
            at += word.chars().count();
            tokens.push(word);
        } else if starts_with("::") {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            if !rest[0].is_whitespace() {
                tokens.push(rest[0].to_string());
            }
            at += 1;
        }
    }
    tokens
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match (rest[at], rest.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a raw string that begins here.
fn raw_string(rest: &[char]) -> Option<usize> {
    let prefix = usize::from(rest[0] == 'b');
    if rest.get(prefix) != Some(&'r') {
        return None;
    }
    let hashes = rest[prefix + 1..].iter().take_while(|c| **c == '#').count();
    let begin = prefix + 1 + hashes;
    if rest.get(begin) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let length = rest[begin + 1..].windows(end.len()).position(|window| window == end)?;
    Some(begin + 1 + length + end.len())
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The index after the item that begins at `at`, with its attributes.
fn after_item(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0_i32;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

fn imports(text: &str) -> Imports {
    let tokens = tokens(text);
    let word = |at: usize| tokens.get(at).map(String::as_str).unwrap_or_default();
    let mut imports = Imports::default();
    let mut at = 0;
    while at < tokens.len() {
        match word(at) {
            // Tests may use whatever they need.
            "#" if (1..=5).map(|next| word(at + next)).eq(["[", "cfg", "(", "test", ")"]) => {
                at = after_item(&tokens, at);
            }
            "use" => {
                let is_re_export = at > 0 && matches!(word(at - 1), "pub" | ")");
                let mut found = Vec::new();
                at = use_tree(&tokens, at + 1, &Vec::new(), &mut found);
                for (name, path) in found {
                    if !is_re_export {
                        imports.paths.push(path.clone());
                    }
                    imports.names.push((name, path));
                }
            }
            "crate" | "super" | "self" if word(at + 1) == "::" => {
                let is_visibility = at > 0 && word(at - 1) == "in";
                let mut path = vec![tokens[at].clone()];
                while word(at + 1) == "::"
                    && word(at + 2).starts_with(|c: char| c.is_alphabetic() || c == '_')
                {
                    path.push(tokens[at + 2].clone());
                    at += 2;
                }
                // Visibility such as `pub(in crate::a)` imports nothing.
                if !is_visibility {
                    imports.paths.push(path);
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    imports
}

/// Reads a tree of `use`, and returns the index after it.
fn use_tree(
    tokens: &[String],
    mut at: usize,
    prefix: &ItemPath,
    found: &mut Vec<(String, ItemPath)>,
) -> usize {
    let mut path = prefix.clone();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("::") => at += 1,
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = use_tree(tokens, at, &path, found);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            Some("as") => {
                let name = tokens.get(at + 1).cloned().unwrap_or_default();
                found.push((name, path));
                return at + 2;
            }
            Some(word) if word == "*" || word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
                at += 1;
            }
            _ => {
                if path.len() > prefix.len() || prefix.len() > 1 {
                    found.push((path.last().cloned().unwrap_or_default(), path));
                }
                return at;
            }
        }
    }
}

impl Crate {
    fn read(folder: &Path) -> Self {
        let (mut files, mut shared) = (BTreeMap::new(), Vec::new());
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let module = module(path.strip_prefix(folder).unwrap());
                    let name = path.strip_prefix(root()).unwrap().display().to_string();
                    let text = std::fs::read_to_string(&path).unwrap();
                    for (target, name) in elsewhere(&text) {
                        let target = path.parent().unwrap().join(target).canonicalize().unwrap();
                        let target = target.strip_prefix(folder.canonicalize().unwrap()).unwrap().to_owned();
                        shared.push((self::module(&target), child(&module, &name)));
                    }
                    files.insert(module, (name, Rc::new(imports(&text))));
                }
            }
        }
        // A folder shared by several modules is listed once for each of them, and only there.
        for (folder, module) in &shared {
            let of_folder = files.iter().filter(|(path, _)| path.starts_with(folder));
            let copies: Vec<(ItemPath, _)> = of_folder
                .map(|(path, file): (&ItemPath, &(String, Rc<Imports>))| {
                    ([module, &path[folder.len()..]].concat(), file.clone())
                })
                .collect();
            files.extend(copies);
        }
        files.retain(|path, _| !shared.iter().any(|(folder, _)| path.starts_with(folder)));
        Self { files }
    }

    /// Returns the module that a path seen from `from` resolves to, or `None` for another crate.
    fn resolve(&self, from: &ItemPath, path: &[String], depth: usize) -> Option<ItemPath> {
        let (first, rest) = path.split_first()?;
        let (mut module, mut rest) = match first.as_str() {
            "crate" => (Vec::new(), rest),
            "self" => (from.clone(), rest),
            "super" => (from[..from.len().saturating_sub(1)].to_vec(), rest),
            name if self.files.contains_key(&child(from, name)) => (from.clone(), path),
            _ => return None,
        };
        while let Some((segment, others)) = rest.split_first() {
            if segment == "super" {
                module.pop();
            } else if self.files.contains_key(&child(&module, segment)) {
                module.push(segment.clone());
            } else {
                return Some(self.re_exported(&module, segment, others, depth).unwrap_or(module));
            }
            rest = others;
        }
        Some(module)
    }

    /// The module from which `module` re-exports a name.
    fn re_exported(&self, module: &ItemPath, name: &str, rest: &[String], depth: usize) -> Option<ItemPath> {
        let (_, imports) = self.files.get(module).filter(|_| depth < 8)?;
        let (_, path) = imports.names.iter().find(|(known, _)| known == name)?;
        let path: Vec<_> = path.iter().chain(rest).cloned().collect();
        self.resolve(module, &path, depth + 1)
    }

    /// For each file the files that it imports from.
    fn graph(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let checked = |name: &str| !EXEMPT.iter().any(|exempt| name.starts_with(exempt));
        let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, (name, imports)) in self.files.iter().filter(|(_, (name, _))| checked(name)) {
            let targets = imports.paths.iter().filter_map(|path| self.resolve(module, path, 0));
            let targets = targets.filter_map(|target| self.files.get(&target)).map(|(name, _)| name.as_str());
            let targets = targets.filter(|target| target != name && checked(target));
            graph.entry(name).or_default().extend(targets);
        }
        graph
    }
}

/// The module of a file, by its path below the source folder.
fn module(path: &Path) -> ItemPath {
    let mut module: ItemPath =
        path.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// Modules that are in another folder: the values of their `path` attributes, and their names.
fn elsewhere(text: &str) -> Vec<(String, String)> {
    let after = |attribute: &str| {
        let (path, rest) = attribute.split_once('"')?;
        let (_, rest) = rest.split_once("mod ")?;
        Some((path.to_owned(), rest.split_once(';')?.0.to_owned()))
    };
    text.split("#[path = \"").skip(1).filter_map(after).collect()
}

fn child(module: &[String], name: &str) -> ItemPath {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The shortest way from a file back to itself.
fn circle<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in graph.get(file).into_iter().flatten() {
            if *next == start {
                let mut way = vec![start, file];
                while way.last() != Some(&start) {
                    way.push(came_from[way.last().unwrap()]);
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let mut circles = BTreeMap::new();
    for folder in sources() {
        let source = Crate::read(&folder);
        let graph = source.graph();
        for file in graph.keys() {
            if let Some(circle) = circle(&graph, file) {
                let members: BTreeSet<_> = circle.iter().map(|file| (*file).to_owned()).collect();
                circles.entry(members).or_insert_with(|| circle.join("\n  -> "));
            }
        }
    }
    let found: Vec<_> = circles.into_values().collect();
    assert!(found.is_empty(), "{} circles of imports:\n{}", found.len(), found.join("\n\n"));
}

#[test]
fn circle_is_found_through_re_exports_and_nested_imports() {
    let file = |name: &str, text: &str| (name.to_owned(), Rc::new(imports(text)));
    let files = BTreeMap::from([
        (vec![], file("lib.rs", "pub mod a; pub mod b; pub use b::B;")),
        (vec!["a".to_owned()], file("a.rs", "use crate::{B, other::{self, C}}; // use crate::c::D;")),
        (vec!["b".to_owned()], file("b.rs", "fn f() -> super::a::A { \"crate::x\"; 'c' }")),
        (
            vec!["c".to_owned()],
            file("c.rs", "pub use crate::a::A; #[cfg(test)] mod tests { use crate::b::B; }"),
        ),
    ]);
    let source = Crate { files };
    let graph = source.graph();
    assert_eq!(graph["c.rs"], BTreeSet::new());
    assert_eq!(circle(&graph, "a.rs"), Some(vec!["a.rs", "b.rs", "a.rs"]));
    assert_eq!(circle(&graph, "c.rs"), None);
}
