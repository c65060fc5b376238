//! Multi-way fixed effects: singletons, redundant levels, and the projection that removes the effects.

mod components;
mod project;
mod singletons;
mod system;

pub(crate) use components::absorbed_parameters;
pub(crate) use project::Absorbed;
pub(crate) use singletons::not_singletons;
