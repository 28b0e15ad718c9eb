//! The program for Apple silicon, built on any system and looked at from outside: what it asks
//! of the system, what may be executed in it, what it is entitled to, and how it calls
//! Hypervisor.framework. Nothing of it is run here.

mod calls;
mod flow;
mod imports;
mod program;
mod segments;
mod signature;
mod stubs;
