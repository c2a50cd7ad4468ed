import Transport

/// A conversation's next turn begins with what the stages have computed for the one before. So a request that ends leaves
/// its sequence behind, and one that begins with the same tokens goes on from there.
///
/// What is kept never stands in the way: it goes, what was used longest ago first, when its blocks are needed. A sequence
/// with steps in flight is not taken over: only their results tell that all stages hold what was sent, and an answer that
/// is still under way belongs to the request that has ended.
extension Scheduler {
    /// Fewer tokens are not worth it.
    static let leastReusedTokenCount = 32

    /// Tokens whose KV stages keep of requests that have ended.
    public var keptTokenCount: Int { kept.reduce(0) { $0 + $1.tokens.count } }
    /// Sequences that it is kept of.
    public var keptSequenceCount: Int { kept.count }

    /// How many tokens of a prompt need not be computed, as things are now.
    ///
    /// - Parameter owner: see `GenerationRequest.owner`.
    public func reusableTokenCount(of tokens: [Int32], owner: String? = nil) -> Int {
        match(tokens, owner: owner, blockLimit: .max)?.tokenCount ?? 0
    }

    /// The kept sequence that a request can go on from, with the most tokens in common; the one used last of several.
    ///
    /// It throws away no more tokens than it reuses: a short question with the same system prompt is not to cost a long
    /// conversation all that is kept of it. At least one token is computed, as its logits are needed.
    ///
    /// - Parameter blockLimit: what the request may need; a sequence with more would hold blocks that are promised to
    ///   others until its first step has come to all stages.
    private func match(
        _ tokens: [Int32], owner: String?, blockLimit: Int
    ) -> (index: Int, tokenCount: Int)? {
        var best: (index: Int, tokenCount: Int)?
        for (index, sequence) in kept.enumerated() where sequence.owner == owner {
            let count = min(sequence.commonTokenCount(tokens), tokens.count - 1)
            guard count >= Self.leastReusedTokenCount, count * 2 >= sequence.tokens.count,
                count >= best?.tokenCount ?? 0, sequence.blockCount <= blockLimit, !isInFlight(sequence.id)
            else { continue }
            best = (index, count)
        }
        return best
    }

    private func isInFlight(_ id: SequenceID) -> Bool {
        inFlight.contains { $0.step.slices.contains { $0.sequence == id } }
    }

    /// Begins a request for which the budget has room, on a kept sequence if there is one.
    mutating func begin(_ request: RequestRecord) {
        guard case .generation(let generation) = request.work, request.ticket != nil,
            let (index, tokenCount) = match(
                request.tokens, owner: generation.owner, blockLimit: request.blockCount)
        else {
            reserve(request.blockCount)
            return newSequence(request)
        }
        let sequence = kept.remove(at: index)
        budget.takeUp(sequence.blockCount)
        reserve(request.blockCount - sequence.blockCount)
        running.append(RunningSequence(request, takingOver: sequence, reusedTokenCount: tokenCount))
    }

    /// Reserves blocks for which the budget has room, if need be in the place of kept ones.
    private mutating func reserve(_ blockCount: Int) {
        while budget.freeBlockCount < blockCount, !kept.isEmpty { forgetKept(0) }
        budget.reserve(blockCount)
    }

    /// Takes a sequence off the pipeline whose request has ended, but has the stages keep what was sent of it.
    mutating func keep(_ index: Int) -> RunningSequence {
        guard configuration.reusesPrefixes, let remainder = running[index].remainder,
            remainder.tokens.count >= Self.leastReusedTokenCount
        else { return release(index) }
        let sequence = running.remove(at: index)
        budget.giveBack(sequence.blockCount - remainder.blockCount)
        budget.keep(remainder.blockCount)
        kept.append(remainder)
        if kept.count > configuration.keptSequenceLimit { forgetKept(0) }
        return sequence
    }

    /// Has the stages keep a sequence no longer.
    private mutating func forgetKept(_ index: Int) {
        let sequence = kept.remove(at: index)
        budget.forget(sequence.blockCount)
        unreleased.append(sequence.id)
    }

    /// Forgets those of which a step has failed: stages hold different things of them.
    mutating func forgetKept(in step: Step) {
        for index in kept.indices.reversed() where step.slices.contains(where: { $0.sequence == kept[index].id }) {
            forgetKept(index)
        }
    }
}
