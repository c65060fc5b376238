//! The texts and the size that every figure has.

use crate::error::{Error, Result};
use serde::Serialize;

/// Titles, note and size of a figure; empty texts are not drawn.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Labels {
    pub title: String,
    pub x: String,
    pub y: String,
    pub note: String,
    pub size: Option<(u32, u32)>,
    /// Pixels kept free between the labels of the horizontal axis and its title.
    pub below: f64,
    /// Pixels kept free left of the vertical axis's title.
    pub beside: f64,
}

/// Default width in pixels: that of a notebook's output area.
pub(super) const WIDTH: u32 = 720;
/// Default height in pixels.
pub(super) const HEIGHT: u32 = 450;

/// Height of the labels of the horizontal axis, to the middle of a line below them.
const AXIS_ROOM: f64 = 34.0;

impl Labels {
    /// From the axis to the middle of the first line below its labels.
    pub const fn axis_room() -> f64 {
        AXIS_ROOM
    }

    /// The size asked for, or the default width with this height.
    pub fn size_or(&self, height: u32) -> Result<(u32, u32)> {
        const SMALLEST: (u32, u32) = (300, 200);
        const LARGEST: u32 = 10_000;
        let (width, height) = self.size.unwrap_or((WIDTH, height.min(LARGEST)));
        if width < SMALLEST.0 || height < SMALLEST.1 || width > LARGEST || height > LARGEST {
            return Err(Error::invalid_option(
                "size",
                format!("{width} × {height}"),
                format!(
                    "between {} × {} and {LARGEST} × {LARGEST} pixels",
                    SMALLEST.0, SMALLEST.1
                ),
            ));
        }
        Ok((width, height))
    }
}

/// The builder methods that every figure has, for a type with a field `labels: Labels`.
macro_rules! labelled {
    ($type:ty) => {
        impl $type {
            /// The title over the figure.
            pub fn title(mut self, title: impl Into<String>) -> Self {
                self.labels.title = title.into();
                self
            }

            /// The title of the horizontal axis.
            pub fn x_title(mut self, title: impl Into<String>) -> Self {
                self.labels.x = title.into();
                self
            }

            /// The title of the vertical axis.
            pub fn y_title(mut self, title: impl Into<String>) -> Self {
                self.labels.y = title.into();
                self
            }

            /// A note under the figure.
            pub fn note(mut self, note: impl Into<String>) -> Self {
                self.labels.note = note.into();
                self
            }

            /// Width and height in pixels, from 300 × 200 to 10 000 × 10 000; by default 720 × 450, or as high as the
            /// labels of the vertical axis need.
            pub fn size(mut self, width: u32, height: u32) -> Self {
                self.labels.size = Some((width, height));
                self
            }
        }
    };
}
pub(super) use labelled;
