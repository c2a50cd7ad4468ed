import ClusterCore
import Transport

/// What the coordinator's journal has to keep: over a mere crash all that clients were told and all that runs or waits;
/// over a loss of power, nothing that was not there before.
struct JournalChecker {
    private struct Request {
        /// Tokens that it comes to.
        var tokenCount: Int
        /// Those that the journal has to have; nil if that is not sure since a loss of power.
        var writtenCount: Int?
        /// Whether it runs or waits.
        var isOpen = false
        /// Whether the process ended while it wrote down that it does not, which nobody was told.
        var isEnding = false
    }

    /// Whether there is a journal.
    private let isKept: Bool
    /// Whether there is room for all streams, also those that have ended.
    private let keepsAll: Bool
    /// By id, streamed ones that were ever let in.
    private var requests: [String: Request] = [:]
    /// Workers of which the operator knows that they are drained.
    private var drained: [NodeID] = []
    private var isSure = true

    init(isKept: Bool, keepsAll: Bool) {
        self.isKept = isKept
        self.keepsAll = keepsAll
    }

    // MARK: While a coordinator runs

    /// A client asks for a stream that it has begun to read.
    func looked(for id: String, isFound: Bool) -> String? {
        guard isKept, !isFound, let request = requests[id] else { return nil }
        if request.isOpen { return "the stream of \(id), which runs or waits, is not found" }
        guard keepsAll, let count = request.writtenCount, count > 0 else { return nil }
        return "the stream of \(id), of which there are \(count) tokens, is not found"
    }

    /// A client reads a request from its beginning, and has got so many tokens at once.
    mutating func read(_ id: String, tokenCount: Int, known knownCount: Int) -> String? {
        let before = requests[id]
        requests[id] = Request(tokenCount: tokenCount, writtenCount: knownCount, isOpen: knownCount < tokenCount)
        guard isKept, let count = before?.writtenCount, knownCount < count else { return nil }
        return "\(count) tokens of \(id) were handed out, but \(knownCount) are known when it is read again"
    }

    mutating func token(of id: String) {
        if let count = requests[id]?.writtenCount { requests[id]?.writtenCount = count + 1 }
    }

    /// It was finished or given up.
    mutating func ended(_ id: String) { requests[id]?.isOpen = false }

    /// The process has ended while it finished it or gave it up: that may be written down or not.
    mutating func perhapsEnded(_ id: String) { requests[id]?.isEnding = true }

    /// An operator was told that these are drained and no others.
    mutating func drained(_ nodes: [NodeID]) { drained = nodes }

    // MARK: Restarts

    mutating func powerLost() { isSure = false }

    /// A coordinator starts after another one.
    ///
    /// - Parameters:
    ///   - restored: requests that go on, and how many tokens of them are known.
    ///   - nodes: workers that are drained.
    mutating func restarted(_ restored: [(id: String, tokenCount: Int)], drained nodes: [NodeID]) -> String? {
        defer {
            isSure = true
            drained = nodes
        }
        var problem: String?
        for (id, count) in restored {
            guard let request = requests[id] else { return "\(id) goes on, which never began" }
            guard isSure else { continue }
            if !request.isOpen { problem = "\(id) goes on, which had ended" }
            if let written = request.writtenCount, written != count {
                problem = "\(written) tokens of \(id) were handed out, but it goes on from \(count)"
            }
        }
        for id in requests.keys.sorted() {
            let known = restored.first { $0.id == id }?.tokenCount
            let request = requests[id]
            if isSure, isKept, known == nil, let request, request.isOpen, !request.isEnding,
                request.writtenCount != request.tokenCount
            {
                problem = problem ?? "\(id), which ran or waited, does not go on"
            }
            requests[id]?.isOpen = known != nil
            requests[id]?.isEnding = false
            if !isSure || !isKept { requests[id]?.writtenCount = known }
        }
        if isSure, isKept, nodes != drained { problem = problem ?? "\(drained) were drained, but \(nodes) are known" }
        return problem
    }
}
