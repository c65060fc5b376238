//! Reads Rust source just far enough to find its paths: tokens without comments and strings, items outside tests, use trees.

use std::path::{Path, PathBuf};

/// A word, number or punctuation mark; `::` is one token.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A path that leads to a room of the crate.
#[derive(Debug)]
pub struct RoomPath {
    pub line: usize,
    pub root: String,
    pub text: String,
}

/// A file and the module it holds.
#[derive(Debug)]
pub struct Module {
    pub file: PathBuf,
    path: Vec<String>,
}

impl Module {
    /// The module of a file below the source folder.
    pub fn of(source: &Path, file: &Path) -> Self {
        let mut path: Vec<String> = file
            .strip_prefix(source)
            .unwrap()
            .with_extension("")
            .iter()
            .map(|part| part.to_str().unwrap().to_owned())
            .collect();
        if path.last().is_some_and(|name| name == "mod") {
            path.pop();
        }
        Self {
            file: file.to_owned(),
            path,
        }
    }

    /// The room it stands in; none for the root and the prelude, which may use everything.
    pub fn room(&self) -> Option<&str> {
        match self.path[0].as_str() {
            "lib" | "prelude" => None,
            room => Some(room),
        }
    }

    /// How many `super` lead from it to the root.
    pub fn depth(&self) -> usize {
        self.path.len()
    }

    /// Whether it is a room or lies in it: `numeric/special`.
    pub fn inside(&self, owner: &str) -> bool {
        owner
            .split('/')
            .eq(self.path.iter().take(owner.split('/').count()))
    }
}

/// The Rust files below a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries
        .into_iter()
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() => files(&path),
            Some(extension) if extension == "rs" => vec![path],
            _ => Vec::new(),
        })
        .collect()
}

/// The modules below a folder that are compiled outside tests: without the files of `#[cfg(test)] mod name;`.
pub fn modules(source: &Path) -> Vec<Module> {
    let all = files(source);
    let mut test_only = Vec::new();
    for file in &all {
        let tokens = tokens(&std::fs::read_to_string(file).unwrap());
        let name = file.file_stem().unwrap();
        let folder = if name == "mod" || name == "lib" {
            file.parent().unwrap().to_owned()
        } else {
            file.with_extension("")
        };
        for (start, end) in test_items(&tokens) {
            let item = &tokens[start..end];
            if let [.., keyword, module, semicolon] = item
                && keyword.text == "mod"
                && semicolon.text == ";"
            {
                test_only.push(folder.join(&module.text));
            }
        }
    }
    all.iter()
        .filter(|file| {
            let path = file.with_extension("");
            !test_only.iter().any(|test| path.starts_with(test))
        })
        .map(|file| Module::of(source, file))
        .collect()
}

/// The tokens of a text without its comments, strings and characters.
pub fn tokens(text: &str) -> Vec<Token> {
    let bytes: Vec<char> = text.chars().collect();
    let at = |i: usize| bytes.get(i).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out: Vec<Token> = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < bytes.len() {
        let start = i;
        let mut keep = false;
        if at(i) == '/' && at(i + 1) == '/' {
            while i < bytes.len() && at(i) != '\n' {
                i += 1;
            }
        } else if at(i) == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 || i >= bytes.len() {
                    break;
                }
            }
        } else if let Some(hashes) = raw_string(&bytes, i) {
            let end: String = std::iter::once('"')
                .chain("#".repeat(hashes).chars())
                .collect();
            i += bytes[i..].iter().position(|c| *c == '"').unwrap() + 1;
            while i < bytes.len() && !bytes[i..].starts_with(&end.chars().collect::<Vec<_>>()) {
                i += 1;
            }
            i += end.len();
        } else if at(i) == '"' {
            i += 1;
            while i < bytes.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if at(i) == '\'' && at(i + 1) == '\\' {
            i += 3;
            while i < bytes.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
        } else if at(i) == '\'' && at(i + 2) == '\'' {
            i += 3;
        } else if at(i) == '\'' {
            i += 1; // a lifetime
        } else if at(i).is_whitespace() {
            i += 1;
        } else if at(i) == ':' && at(i + 1) == ':' {
            (i, keep) = (i + 2, true);
        } else if word(at(i)) {
            while word(at(i)) {
                i += 1;
            }
            keep = true;
        } else {
            (i, keep) = (i + 1, true);
        }
        i = i.min(bytes.len());
        if keep {
            out.push(Token {
                text: bytes[start..i].iter().collect(),
                line,
            });
        }
        line += bytes[start..i].iter().filter(|c| **c == '\n').count();
    }
    out
}

/// The number of hashes if a raw string starts here.
fn raw_string(text: &[char], i: usize) -> Option<usize> {
    let inside_a_word = i > 0 && (text[i - 1].is_alphanumeric() || text[i - 1] == '_');
    if inside_a_word {
        return None;
    }
    let (['b' | 'c', 'r', rest @ ..] | ['r', rest @ ..]) = text.get(i..)? else {
        return None;
    };
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    (rest.get(hashes) == Some(&'"')).then_some(hashes)
}

/// The tokens outside items that are compiled for tests only.
pub fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut out = Vec::new();
    let mut from = 0;
    for (start, end) in test_items(tokens) {
        if start >= from {
            out.extend_from_slice(&tokens[from..start]);
            from = end;
        }
    }
    out.extend_from_slice(&tokens[from..]);
    out
}

/// Where the items with `#[cfg(test)]` or `#[cfg(all(test, …))]` begin and end.
fn test_items(tokens: &[Token]) -> Vec<(usize, usize)> {
    let begins = |i: usize, pattern: &[&str]| {
        pattern.len() <= tokens.len() - i
            && pattern
                .iter()
                .zip(&tokens[i..])
                .all(|(want, token)| *want == token.text)
    };
    (0..tokens.len())
        .filter(|&i| {
            begins(i, &["#", "[", "cfg", "(", "test", ")", "]"])
                || begins(i, &["#", "[", "cfg", "(", "all", "(", "test"])
        })
        .map(|i| (i, item_end(tokens, i)))
        .collect()
}

/// The end of the item whose attributes begin at `i`.
fn item_end(tokens: &[Token], mut i: usize) -> usize {
    while tokens.get(i).is_some_and(|t| t.text == "#") {
        i = closing(tokens, i + 1) + 1;
    }
    let has_body = |word: &str| {
        [
            "fn",
            "mod",
            "struct",
            "enum",
            "union",
            "impl",
            "trait",
            "macro_rules",
        ]
        .contains(&word)
    };
    let mut body = false;
    while i < tokens.len() {
        match tokens[i].text.as_str() {
            ";" => return i + 1,
            "{" if body => return closing(tokens, i) + 1,
            "{" | "(" | "[" => i = closing(tokens, i),
            word => body = body || has_body(word),
        }
        i += 1;
    }
    tokens.len()
}

/// The bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    tokens.len() - 1
}

/// The paths that a use tree or path spells, without renamings: `a::{b, c as d}` is `a::b` and `a::c`.
pub fn tree(tokens: &[Token], i: usize) -> Vec<Vec<String>> {
    let text = |i: usize| tokens.get(i).map_or("", |t| t.text.as_str());
    if text(i) == "{" {
        let end = closing(tokens, i);
        let mut starts = vec![i + 1];
        let mut j = i + 1;
        while j < end {
            match text(j) {
                "{" | "(" | "[" => j = closing(tokens, j),
                "," => starts.push(j + 1),
                _ => {}
            }
            j += 1;
        }
        return starts
            .into_iter()
            .filter(|s| *s < end)
            .flat_map(|s| tree(tokens, s))
            .collect();
    }
    let head = text(i).to_owned();
    let follows =
        text(i + 1) == "::" && (text(i + 2) == "{" || text(i + 2) == "*" || is_word(text(i + 2)));
    if !follows {
        return vec![vec![head]];
    }
    let mut rest = tree(tokens, i + 2);
    for path in &mut rest {
        path.insert(0, head.clone());
    }
    rest
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The paths through the root of the crate: `crate::…`, and as many `super` as lead there from a module `depth` below it.
pub fn paths(tokens: &[Token], depth: usize) -> Vec<RoomPath> {
    let mut out = Vec::new();
    let mut inline_ends: Vec<usize> = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        inline_ends.retain(|end| *end > i);
        if token.text == "mod" && tokens.get(i + 2).is_some_and(|t| t.text == "{") {
            inline_ends.push(closing(tokens, i + 2));
        }
        let continues = i > 0 && tokens[i - 1].text == "::";
        if continues || !["crate", "super", "self"].contains(&token.text.as_str()) {
            continue;
        }
        let renamed = tokens.get(i + 1).is_some_and(|t| t.text == "as");
        if token.text == "crate" && renamed {
            out.push(RoomPath {
                line: token.line,
                root: "crate".to_owned(),
                text: "crate as".to_owned(),
            });
            continue;
        }
        for path in tree(tokens, i) {
            let mut steps = path.iter().skip_while(|step| *step == "self");
            let mut up = 0;
            let root = loop {
                match steps.next().map(String::as_str) {
                    Some("crate") => up = depth + inline_ends.len(),
                    Some("super") => up += 1,
                    other => break other,
                }
            };
            // `super` alone, or `pub(crate)`, names no room.
            if let Some(root) = root
                && up >= depth + inline_ends.len()
            {
                out.push(RoomPath {
                    line: token.line,
                    root: root.to_owned(),
                    text: path.join("::"),
                });
            }
        }
    }
    out
}

/// The lines that use an outside crate.
pub fn external_uses<'a>(tokens: &'a [Token], name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let text = |i: usize| tokens.get(i).map_or("", |t| t.text.as_str());
    (0..tokens.len()).filter_map(move |i| {
        // `use name`, `name::…` and `::name::…` lead outside; `module::name::…` does not.
        let before = i.checked_sub(1).map_or("", text);
        let inner = before == "::"
            && i.checked_sub(2)
                .is_some_and(|j| is_word(text(j)) && text(j) != "use");
        let used = before == "use" || text(i + 1) == "::";
        (text(i) == name && used && !inner).then_some(tokens[i].line)
    })
}

/// The lines of `#[allow(…)]` and `#[expect(…)]`.
pub fn lint_exceptions(tokens: &[Token]) -> impl Iterator<Item = usize> {
    tokens.windows(3).filter_map(|three| {
        let [mark, bracket, word] = three else {
            return None;
        };
        let attribute = ["#", "!"].contains(&mark.text.as_str()) && bracket.text == "[";
        let exception = ["allow", "expect"].contains(&word.text.as_str());
        (attribute && exception).then_some(word.line)
    })
}
