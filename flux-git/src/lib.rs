//! ConfigRepo over git: a bare mirror of any git URL, commits built in memory and pushed as compare-and-swap.
