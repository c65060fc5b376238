//! Measuring customers: item response models, and scores with their uncertainty.

mod fit;
mod item;
mod population;
mod responses;
mod working;

pub use fit::ItemResponseFit;
pub use item::{CategoryCurve, Item, ItemModel};
pub use population::{GroupAbility, Population};
pub use responses::Responses;
