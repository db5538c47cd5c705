//! Finds circular dependencies between the modules of a crate, here called circles.
//!
//! Two modules form a circle when each uses the other, directly or through further modules. Modules are
//! compared with their siblings: a use anywhere inside a module counts as a use by that module, and a use of
//! a name that a parent re-exports counts as a use of the child that defines it. A child may use its parent,
//! and a parent its children. Test modules (`#[cfg(test)]`) are left out. Uses through macros are not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use syn::visit::Visit;
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree};

/// A module's path within its crate; the crate's root is empty.
type ModulePath = Vec<String>;

/// Errors of reading a crate's modules.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// A source file can't be read.
    #[error("{path} can't be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A source file is not valid Rust.
    #[error("{path} is not valid Rust")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: syn::Error,
    },
}

/// Sibling modules that use each other in a circle, by their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circle(pub Vec<String>);

/// The paths that a module uses, and the names that it imports or re-exports.
#[derive(Debug, Default)]
struct Module {
    children: BTreeSet<String>,
    uses: BTreeSet<ModulePath>,
    /// Paths of items, by the name under which this module brings them into scope.
    imports: BTreeMap<String, ModulePath>,
}

/// The modules of a crate, by path.
#[derive(Debug, Default)]
struct Modules(BTreeMap<ModulePath, Module>);

/// Returns the circles between sibling modules of the crate whose root is the file `root`.
///
/// # Errors
/// [`ModuleError`] naming the file that can't be read or parsed.
pub fn circles(root: &Path) -> Result<Vec<Circle>, ModuleError> {
    let mut modules = Modules::default();
    let folder = root.parent().unwrap_or(Path::new("")).to_owned();
    modules.read(root, &folder, &Vec::new())?;
    Ok(modules.circles())
}

impl Modules {
    /// Reads the file of the module `path`, whose child modules have their files in `folder`.
    fn read(&mut self, file: &Path, folder: &Path, path: &ModulePath) -> Result<(), ModuleError> {
        let text =
            fs::read_to_string(file).map_err(|source| ModuleError::Read { path: file.to_owned(), source })?;
        let parsed =
            syn::parse_file(&text).map_err(|source| ModuleError::Syntax { path: file.to_owned(), source })?;
        self.add(&parsed.items, folder, path)
    }

    /// Adds the module `path` with its items, and the modules inside it.
    fn add(&mut self, items: &[Item], folder: &Path, path: &ModulePath) -> Result<(), ModuleError> {
        let inner: Vec<&ItemMod> = items
            .iter()
            .filter_map(|item| if let Item::Mod(module) = item { Some(module) } else { None })
            .filter(|module| !is_test(&module.attrs))
            .collect();
        let children = inner.iter().map(|module| module.ident.to_string()).collect();
        let mut reader = Reader { path, module: Module { children, ..Module::default() } };
        items.iter().filter(|item| !matches!(item, Item::Mod(_))).for_each(|item| reader.visit_item(item));
        let module = reader.module;
        self.0.insert(path.clone(), module);
        for module in inner {
            self.add_child(module, folder, path)?;
        }
        Ok(())
    }

    fn add_child(&mut self, module: &ItemMod, folder: &Path, parent: &ModulePath) -> Result<(), ModuleError> {
        let name = module.ident.to_string();
        let mut path = parent.clone();
        path.push(name.clone());
        let below = folder.join(&name);
        if let Some((_, items)) = &module.content {
            return self.add(items, &below, &path);
        }
        let file = folder.join(format!("{name}.rs"));
        let file = if file.exists() { file } else { below.join("mod.rs") };
        self.read(&file, &below, &path)
    }

    /// Returns the module that defines the item `path`. Follows the path through modules and re-exports as
    /// far as possible.
    fn target(&self, path: &ModulePath) -> ModulePath {
        let mut at = ModulePath::new();
        let mut rest = path.iter();
        // Limited, because re-exports may themselves be circular.
        let mut hops = 0;
        let mut pending: Vec<String> = Vec::new();
        loop {
            let Some(name) = pending.pop().or_else(|| rest.next().cloned()) else { return at };
            let Some(module) = self.0.get(&at) else { return at };
            if module.children.contains(&name) {
                at.push(name);
            } else if let Some(import) = module.imports.get(&name).filter(|_| hops < 16) {
                hops += 1;
                at.clear();
                pending.extend(import.iter().rev().cloned());
            } else {
                return at;
            }
        }
    }

    fn circles(&self) -> Vec<Circle> {
        let mut found = Vec::new();
        for (parent, module) in &self.0 {
            let mut graph: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
            for child in &module.children {
                let mut path = parent.clone();
                path.push(child.clone());
                let inside = self.0.iter().filter(|(other, _)| other.starts_with(&path));
                let targets = inside.flat_map(|(_, module)| &module.uses).map(|used| self.target(used));
                let siblings = targets.filter(|target| target.starts_with(parent));
                let names = siblings.filter_map(|target| target.get(parent.len()).cloned());
                graph.insert(child, names.filter(|name| name != child).collect());
            }
            found.extend(strongly_connected(&graph).into_iter().map(|names| {
                let path = |name: &String| {
                    parent.iter().chain([name]).map(String::as_str).collect::<Vec<_>>().join("::")
                };
                Circle(names.iter().map(path).collect())
            }));
        }
        found
    }
}

/// Returns the strongly connected components with more than one node: groups of nodes that all reach each
/// other.
fn strongly_connected(graph: &BTreeMap<&str, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reaches = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = vec![from];
        while let Some(node) = open.pop() {
            for next in graph.get(node).into_iter().flatten() {
                if reached.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        reached
    };
    let closure: BTreeMap<&str, BTreeSet<String>> = graph.keys().map(|node| (*node, reaches(node))).collect();
    let mut groups: Vec<Vec<String>> = Vec::new();
    for node in graph.keys() {
        if !closure[node].contains(*node)
            || groups.iter().any(|group| group.iter().any(|member| member == node))
        {
            continue;
        }
        let group = graph.keys().filter(|other| {
            **other == *node || (closure[node].contains(**other) && closure[*other].contains(*node))
        });
        groups.push(group.map(|name| (*name).to_owned()).collect());
    }
    groups
}

/// Collects the uses and imports of one module.
struct Reader<'a> {
    path: &'a ModulePath,
    module: Module,
}

impl Reader<'_> {
    /// Returns `segments` as a path from the crate's root, or `None` if the path leads to another crate.
    fn absolute(&self, segments: &[String]) -> Option<ModulePath> {
        let (first, mut rest) = segments.split_first()?;
        let mut at = match first.as_str() {
            "crate" => ModulePath::new(),
            "self" => self.path.clone(),
            "super" => self.path[..self.path.len().checked_sub(1)?].to_vec(),
            child if self.module.children.contains(child) => {
                rest = segments;
                self.path.clone()
            }
            _ => return None,
        };
        while let [parent, after @ ..] = rest
            && parent == "super"
        {
            at.pop()?;
            rest = after;
        }
        at.extend(rest.iter().cloned());
        Some(at)
    }

    fn add_use(&mut self, segments: &[String], name: Option<String>) {
        let Some(path) = self.absolute(segments) else { return };
        if let Some(name) = name {
            self.module.imports.insert(name, path.clone());
        }
        self.module.uses.insert(path);
    }

    fn add_tree(&mut self, before: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_tree(before, &path.tree);
                before.pop();
            }
            UseTree::Name(name) if name.ident == "self" => {
                let name = before.last().cloned();
                self.add_use(&before.clone(), name);
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                let path = [before.as_slice(), std::slice::from_ref(&name)].concat();
                self.add_use(&path, Some(name));
            }
            UseTree::Rename(rename) => {
                let path = [before.as_slice(), &[rename.ident.to_string()]].concat();
                self.add_use(&path, Some(rename.rename.to_string()));
            }
            UseTree::Glob(_) => self.add_use(&before.clone(), None),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.add_use(&segments, None);
        }
        syn::visit::visit_path(self, path);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}
