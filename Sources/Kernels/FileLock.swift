import Glibc

/// A lock among the processes of a machine, by a file that stays: given back when this goes, or the process ends.
public struct FileLock: ~Copyable, Sendable {
    private let descriptor: Int32

    /// Waits for the lock; nil if it cannot be had within `timeout`, or the file not be made. Its folder must be there.
    ///
    /// - Parameter isShared: others may have it at the same time, if they share it, too.
    public init?(path: String, isShared: Bool = false, timeout: Duration) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return nil }
        let deadline = ContinuousClock.now + timeout
        while flock(descriptor, (isShared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR, ContinuousClock.now < deadline else {
                close(descriptor)
                return nil
            }
            usleep(5000)
        }
    }

    deinit { close(descriptor) }
}
