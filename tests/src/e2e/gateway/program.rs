use super::GatewayBuilder;

/// A gateway program that a test runs.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    path: &'static str,
    is_production: bool,
}

impl Program {
    /// Returns the production gateway at this path; [`production!`](crate::production!) knows it.
    pub fn production(path: &'static str) -> Self {
        Self {
            path,
            is_production: true,
        }
    }

    /// Returns the example gateway at this path.
    pub fn example(path: &'static str) -> Self {
        Self {
            path,
            is_production: false,
        }
    }

    /// Returns a builder for a gateway of this program.
    pub fn gateway(self) -> GatewayBuilder {
        GatewayBuilder::new(self.path)
    }

    /// Returns true for the production gateway. Only that gateway has the format of errors that the client's SDK reads, log
    /// lines about the end of a request, and an admin listener.
    pub fn is_production(self) -> bool {
        self.is_production
    }
}
