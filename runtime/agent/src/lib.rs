//! Skeleton.
mod driver;
