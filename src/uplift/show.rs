//! How the results of this room show themselves.

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
pub(in crate::uplift) use shown;
