//! What one customer of given belief, cost and terms does: beliefs and their updating, the value of co-creating, its timing,
//! and the effort that is chosen.
