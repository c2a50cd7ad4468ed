import Synchronization

/// Memory for request bodies over all connections. A body counts while it is read and parsed.
final class BodyBudget: Sendable {
    private let limit: Int
    private let taken = Mutex(0)

    init(byteCount: Int) { limit = byteCount }

    /// Bytes that are taken at this moment.
    var takenByteCount: Int { taken.withLock(\.self) }

    /// Runs `body` with a share of its own, which it grows as bytes arrive; all of it is given back at the end.
    func withShare<Result: Sendable>(_ body: (Share) async throws -> Result) async throws -> Result {
        let share = Share(self)
        defer { share.giveBack() }
        return try await body(share)
    }

    /// What one request has taken.
    final class Share: Sendable {
        private let budget: BodyBudget
        private let byteCount = Mutex(0)

        fileprivate init(_ budget: BodyBudget) { self.budget = budget }

        /// - Throws: ``APIError/bodiesTooLarge(limitByteCount:)`` if the other requests leave no room.
        func take(_ count: Int) throws(APIError) {
            let isTaken = budget.taken.withLock { taken in
                guard count <= budget.limit - taken else { return false }
                taken += count
                return true
            }
            guard isTaken else { throw .bodiesTooLarge(limitByteCount: budget.limit) }
            byteCount.withLock { $0 += count }
        }

        fileprivate func giveBack() {
            let count = byteCount.withLock { count in
                defer { count = 0 }
                return count
            }
            budget.taken.withLock { $0 -= count }
        }
    }
}
