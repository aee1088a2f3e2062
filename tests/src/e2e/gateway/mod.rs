//! The gateway as users run it: a process of its own, told what to do by its environment.

mod builder;
mod exit;
mod files;
mod log;
mod process;
mod program;

pub use self::{
    builder::GatewayBuilder, exit::Exit, files::Files, process::Gateway, program::Program,
};

/// Returns the production gateway that cargo built beside the test, as a [`Program`].
#[macro_export]
macro_rules! production {
    () => {
        $crate::e2e::Program::production(env!("CARGO_BIN_EXE_spillover-under-test"))
    };
}

/// Returns a [`GatewayBuilder`] for the production gateway.
#[macro_export]
macro_rules! gateway {
    () => {
        $crate::production!().gateway()
    };
}

/// Makes two tests of each function, one for the production gateway and one for the example gateway. For example, the function
/// `a_500_moves_on(program: Program)` becomes the tests `a_500_moves_on::production` and `a_500_moves_on::example`.
#[macro_export]
macro_rules! for_both_gateways {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[tokio::test]
            async fn production() {
                super::$test($crate::production!()).await;
            }

            #[tokio::test]
            async fn example() {
                let path = env!("CARGO_BIN_EXE_example-gateway-under-test");
                super::$test($crate::e2e::Program::example(path)).await;
            }
        }
    )+};
}
