import Glibc

/// Zeroed memory of its own, page-aligned, on huge pages where the system grants them.
/// Its pages have one owner, who may be on any thread.
struct Memory: ~Copyable, @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    /// `purpose` names the memory in the error.
    init(byteCount: Int, purpose: String) throws(KernelError) {
        // Untouched pages cost nothing, so a large reservation such as a KV cache is not counted up front.
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let size = max(byteCount, 1)
        guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else {
            throw .outOfMemory(purpose: purpose, byteCount: byteCount, reason: String(cString: strerror(errno)))
        }
        if size >= 4 << 20 { madvise(base, size, MADV_HUGEPAGE) }
        self.base = base
        self.byteCount = byteCount
    }

    deinit { munmap(base, max(byteCount, 1)) }

    func floats(at index: Int = 0) -> UnsafeMutablePointer<Float> {
        base.assumingMemoryBound(to: Float.self) + index
    }
}
