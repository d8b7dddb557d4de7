//! x

#[cfg(test)]
mod architecture;
