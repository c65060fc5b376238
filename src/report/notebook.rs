//! How results show themselves in an evcxr notebook.

use std::io::Write;

/// Gives a type with `Display` and `to_html(&self) -> String` its inherent `evcxr_display`, which the notebook kernel
/// calls on the last expression of a cell. Being inherent it costs the user neither an import nor a second compile.
macro_rules! notebook {
    ($type:ty) => {
        impl $type {
            /// Shows the value in an evcxr notebook, as HTML and as text; the kernel calls it.
            pub fn evcxr_display(&self) {
                $crate::report::notebook::show(&self.to_html(), &self.to_string());
            }
        }
    };
}
pub(crate) use notebook;

/// Gives types with a `table()` their text, HTML and notebook display.
macro_rules! shown {
    ($($type:ty),* $(,)?) => {$(
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.table().fmt(f)
            }
        }

        impl $type {
            /// The table as HTML.
            pub fn to_html(&self) -> String {
                self.table().to_html()
            }
        }

        $crate::report::notebook!($type);
    )*};
}
pub(crate) use shown;

/// The same for a record that is one line of text.
macro_rules! notebook_line {
    ($($type:ty),* $(,)?) => {$(
        impl $type {
            /// The record as a paragraph of HTML.
            pub fn to_html(&self) -> String {
                $crate::report::notebook::paragraph(&self.to_string())
            }
        }

        $crate::report::notebook!($type);
    )*};
}
pub(crate) use notebook_line;

/// A paragraph, escaped.
pub(crate) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", super::html::escape(text))
}

/// Prints both forms on standard output, where the kernel listens.
pub(crate) fn show(html: &str, text: &str) {
    // A closed pipe is nobody's concern here: the notebook is gone.
    let _ = write_blocks(&mut std::io::stdout().lock(), html, text);
}

/// One block per form, as the evcxr display protocol wants.
fn write_blocks(out: &mut impl Write, html: &str, text: &str) -> std::io::Result<()> {
    for (mime, content) in [("text/html", html), ("text/plain", text)] {
        // Content that quotes the end marker must not end the block: a zero-width space hides it from the kernel.
        let content = content.replace(END, "EVCXR_END\u{200b}_CONTENT");
        writeln!(out, "EVCXR_BEGIN_CONTENT {mime}\n{content}\n{END}")?;
    }
    out.flush()
}

/// The line that ends a block.
const END: &str = "EVCXR_END_CONTENT";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_written_in_the_kernels_protocol() {
        let mut out = Vec::new();
        write_blocks(&mut out, "<b>x</b>", "x EVCXR_END_CONTENT").unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "EVCXR_BEGIN_CONTENT text/html\n<b>x</b>\nEVCXR_END_CONTENT\n\
             EVCXR_BEGIN_CONTENT text/plain\nx EVCXR_END\u{200b}_CONTENT\nEVCXR_END_CONTENT\n"
        );
    }
}
