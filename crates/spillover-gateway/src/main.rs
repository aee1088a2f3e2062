//! The gateway.

/// Allocates faster than the system allocator: a request makes many small, short-lived allocations.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    spillover_gateway::main()
}
