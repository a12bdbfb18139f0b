//! The machine seen from outside: what it does for each rule of the method, and what holds whatever happens.

mod bench;
mod beyond;
mod claims;
mod during;
mod properties;
mod regressions;
mod sim;
