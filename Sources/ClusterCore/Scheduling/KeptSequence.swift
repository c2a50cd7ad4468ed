import Transport

/// A sequence whose request has ended, and of which the stages keep the KV: a request that begins with the same tokens
/// takes it over.
struct KeptSequence: Sendable {
    let id: SequenceID
    /// Who asked: only the same client's requests may take it over.
    let owner: String?
    /// Those that were sent, and so those whose keys and values stages hold once no step of the sequence is in flight.
    let tokens: [Int32]

    var blockCount: Int { KeyValueBudget.blockCount(forTokens: tokens.count) }

    /// How many tokens a prompt begins with as this sequence does.
    func commonTokenCount(_ prompt: [Int32]) -> Int {
        var count = 0
        for (own, other) in zip(tokens, prompt) {
            guard own == other else { break }
            count += 1
        }
        return count
    }
}
