//! The gateway.

/// Requests are many small allocations, each of which is soon freed.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    spillover_gateway::main()
}
