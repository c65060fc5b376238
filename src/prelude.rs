//! Everything a program or notebook needs: `use cocreate::prelude::*;`.

pub use crate::data::{
    Column, CsvOptions, Description, Frame, Groups, Label, Real, Time, datasets,
};
pub use crate::error::{Error, Result, Warning};
pub use crate::numeric::{Progress, Seed};
pub use crate::report::{Align, Cell, NumberFormat, RowKind, Table};
