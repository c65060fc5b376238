//! Data in: frames and their columns, CSV, formulas, design matrices, bundled data sets.

pub mod calendar;
pub mod column;
pub mod csv;
pub mod datasets;
pub mod describe;
pub mod frame;
pub mod records;
pub mod select;
pub mod time;

pub use column::{Column, Groups, Label, Real, Time};
pub use csv::CsvOptions;
pub use describe::{ColumnDescription, Description, LevelCount, NumberSummary};
pub use frame::Frame;
