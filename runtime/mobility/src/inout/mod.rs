//! What goes in and what comes out: facts, messages, decisions, views, reports, counters, details.

pub(crate) mod action;
pub(crate) mod counters;
pub(crate) mod detail;
pub(crate) mod event;
pub(crate) mod message;
pub(crate) mod report;
pub(crate) mod view;
