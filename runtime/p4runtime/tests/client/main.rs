//! The client, against servers that do what a test says. One program of many files, as each program takes half a minute to build.

mod bmv2;
mod fake;
mod ports;
mod requests;
mod session;
mod tls;
mod tofino;
