import ClusterCore
import Synchronization

/// What any thread may ask without waiting: whether the cluster serves.
final class StatusBoard: Sendable {
    private struct Status {
        var isReady = false
        var reason = "the coordinator is starting"
        var publishedAt: ContinuousClock.Instant?
        var isClosed = false
        var health: ClusterHealth
    }

    /// The coordinator's thread publishes at least once a second; after this long it has to be taken for stuck.
    static let validity = Duration.seconds(5)

    private let status: Mutex<Status>

    init(clusterID: String, model: String, queueLimit: Int) {
        let health = ClusterHealth(
            clusterID: clusterID, model: model, state: .down, reason: "", epoch: 0, secondsSinceLastToken: nil,
            runningRequestCount: 0, queuedRequestCount: 0, queueLimit: queueLimit, tokensPerSecond: 0,
            droppedFrameCount: 0, nodes: [])
        status = Mutex(Status(health: health))
    }

    func publish(_ readiness: (isReady: Bool, reason: String), at now: Instant) {
        status.withLock { status in
            status.isReady = readiness.isReady
            status.reason = readiness.reason
            status.publishedAt = .now
        }
    }

    func close(_ health: ClusterHealth, reason: String) {
        status.withLock { status in
            status.health = health
            status.isReady = false
            status.reason = reason
            status.isClosed = true
        }
    }

    var readiness: (isReady: Bool, reason: String) {
        status.withLock { status in
            if let publishedAt = status.publishedAt, !status.isClosed, publishedAt.duration(to: .now) > Self.validity {
                return (false, Self.silence)
            }
            return (status.isReady, status.reason)
        }
    }

    /// Why the cluster cannot be asked although the process answers.
    static let silence = "the coordinator's thread has not answered for \(validity.plainSeconds) s"

    /// What was known of the cluster last, for when the coordinator's thread cannot be asked, because of `reason`.
    func lastHealth(because reason: String) -> ClusterHealth {
        status.withLock { status in
            var health = status.health
            health.state = .down
            health.reason = status.isClosed ? status.reason : reason
            return health
        }
    }
}
