//! The machine seen from outside: what it does for each rule of the method, and what holds whatever happens.

mod addresses;
mod bench;
mod beyond;
mod claims;
mod during;
mod evidence;
mod operator;
mod properties;
mod regressions;
mod retried;
mod rivals;
mod scenarios;
mod sim;
