import Transport

/// What is kept of a request for as long as it is open: enough to begin its sequence anew on any pipeline.
struct RequestRecord: Sendable {
    /// Who asked for it; nil for the probe.
    let ticket: Ticket?
    let work: Work
    /// The prompt or text, and behind it the tokens sampled so far. A token stands here before anyone is told of it.
    private(set) var tokens: [Int32]
    /// How often its sequence was lost after a stage had seen of it.
    var lossCount = 0
    /// Whether a stage has seen of it.
    var hasBegun = false

    /// - Parameter committed: tokens that were sampled before, by another coordinator perhaps.
    init(ticket: Ticket?, work: Work, committed: [Int32] = []) {
        self.ticket = ticket
        self.work = work
        tokens = work.knownTokens + committed
    }

    /// Tokens sampled so far.
    var committedTokenCount: Int { tokens.count - work.knownTokens.count }

    /// KV that it can come to need.
    var blockCount: Int {
        KeyValueBudget.blockCount(forTokens: work.knownTokens.count + work.maximumNewTokenCount)
    }

    mutating func commit(_ token: Int32) { tokens.append(token) }
}
