//! What must hold of `template.yaml`, checked without deploying it.
//!
//! - [`template`]: the YAML with its intrinsic functions, and ways to look into it
//! - [`rules`]: one function a rule; each tells what is wrong, in words
//! - [`policy`]: every permission the functions have, as lines for a golden file

pub mod policy;
pub mod rules;
pub mod template;
