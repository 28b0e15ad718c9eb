//! What parent and worker say to each other. First the parent sends a [`Plan`], then one
//! [`Order`](crate::placement::order::Order) after another, each with the number of the latest command: this one, if it is a command. Each has
//! one [`Response`], perhaps after [lines](Message::Line) and [output](Message::Output).

use crate::error::Error;
use crate::machine::{MachineConfig, Usage};
use crate::placement::order::Done;
use serde::{Deserialize, Serialize};

/// What a worker is to make.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan<W> {
    /// Name of the backend.
    pub(crate) backend: String,
    pub(crate) config: MachineConfig,
    /// What the program gets to see.
    pub(crate) world: W,
    /// Whether to enter the jail.
    pub(crate) jailed: bool,
}

/// Worker to parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message<'g> {
    /// The guest logs a line, while an order is obeyed.
    Line {
        /// Number of its level.
        level: u64,
        /// What it says.
        text: Vec<u8>,
    },
    /// The program has written output that is captured, while an order was obeyed.
    Output {
        /// Whether to standard error.
        error: bool,
        /// The next bytes of it.
        bytes: Vec<u8>,
    },
    /// The plan is made, or was not.
    Built(Result<Built, Error>),
    /// An order was obeyed, or was not.
    Response(Response<'g>),
}

/// The machine is there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Built {
    /// What keeps its guest in.
    pub(crate) boundary: String,
    /// What the jail is worth, if there is one.
    pub(crate) jail: Option<String>,
}

/// What came of an order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Response<'g> {
    pub(crate) result: Result<Done<'g>, Error>,
    /// What the guest has made of its VM so far.
    pub(crate) usage: Usage,
}
