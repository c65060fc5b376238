//! Measuring customers: item response models, and scores with their uncertainty.

mod adaptive;
mod answers;
mod assemble;
mod complete;
mod features;
mod fit;
mod grid;
mod item;
mod louis;
mod marginal;
mod model;
mod people;
mod person_scores;
mod population;
mod posterior;
mod responses;

mod search;
mod structure;
mod working;

pub use fit::ItemResponseFit;
pub use item::{CategoryCurve, Item, ItemModel};
pub use model::ItemResponse;
pub use population::{GroupAbility, Population};
pub use responses::Responses;
