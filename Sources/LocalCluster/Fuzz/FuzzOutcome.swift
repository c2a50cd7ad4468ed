import ClusterCore

/// What came of a fuzz.
public struct FuzzOutcome: Sendable, Equatable {
    /// What was sent to, as `process:port`.
    public var ports: [String] = []
    /// Frames, requests and connections that were really sent and made.
    public var frameCount = 0
    public var connectionCount = 0
    public var frameCounts: [String: Int] = [:]
    /// HTTP answers by status.
    public var statusCounts: [Int: Int] = [:]
    /// Frames that processes say they have dropped, by name.
    public var droppedCounts: [String: UInt64] = [:]
    /// Ports at which strangers without a listed key were tried.
    public var strangerPortCount = 0
    public var answers = AnswerTally()
    public var samples: [UsageSample] = []
    /// What should not be, in words.
    public var problems: [String] = []

    public var isGood: Bool { problems.isEmpty && answers.differingCount + answers.failedCount == 0 }

    private static let problemLimit = 20
    /// What may be open, or run, for a moment longer.
    private static let descriptorSlack = 2
    private static let threadSlack = 4

    mutating func note(_ problem: String) { if problems.count < Self.problemLimit { problems.append(problem) } }

    mutating func note(_ round: FuzzLane.Round, at listener: Listener) {
        frameCount += round.frameCount
        connectionCount += round.connectionCount
        frameCounts["\(listener.name):\(listener.port)", default: 0] += round.frameCount
        for (status, count) in round.statusCounts {
            statusCounts[status, default: 0] += count
            // 503 is for a server that has too much to do; the others say that something broke.
            if status >= 500, status != 501, status != 503, status != 505 {
                note("HTTP \(status) for a request that the client should be blamed for")
            }
        }
    }

    mutating func note(dropped health: ClusterHealth, listeners: [Listener]) {
        droppedCounts = Dictionary(health.nodes.map { ($0.name, $0.droppedFrameCount) }) { $1 }
        droppedCounts[LocalCluster.coordinatorName] = health.droppedFrameCount
        for name in Set(listeners.map(\.name)).sorted() where droppedCounts[name, default: 0] == 0 {
            note("\(name) says that it has dropped nothing")
        }
        droppedCounts = droppedCounts.filter { entry in listeners.contains { $0.name == entry.key } }
    }

    mutating func compare(first: UsageSample, warm: UsageSample, last: UsageSample, growthLimit: UInt64) {
        for name in Self.openMore(first, last) {
            note("\(name) has more open or running than before: see the table")
        }
        for (name, usage) in last.processes.sorted(by: { $0.key < $1.key }) {
            let before = warm.processes[name]?.residentByteCount ?? 0
            if usage.residentByteCount > before + growthLimit {
                note("\(name) grew from \(before) to \(usage.residentByteCount) bytes")
            }
        }
    }

    /// Processes with more descriptors or threads than before.
    static func openMore(_ first: UsageSample, _ last: UsageSample) -> [String] {
        last.processes.keys.sorted().filter { name in
            guard let before = first.processes[name], let now = last.processes[name] else { return true }
            return now.descriptorCount > before.descriptorCount + descriptorSlack
                || now.threadCount > before.threadCount + threadSlack
        }
    }
}
