import Transport

extension Scheduler {
    mutating func take(_ result: StepResult, at now: Instant) -> [Effect] {
        guard let index = inFlight.firstIndex(where: { $0.step.id == result.id }) else {
            // The answer to a step that only gave KV back says nothing new.
            return result.slices.isEmpty ? [] : [.unexpectedResult(result.id)]
        }
        let step = inFlight[index].step
        // A later step may be answered while the news that an earlier one failed is still on its way. Their sequences
        // differ then, or the later one would have failed, too.
        let earlier = inFlight[..<index].flatMap { $0.step.slices.map(\.sequence) }
        if step.slices.contains(where: { earlier.contains($0.sequence) }) { return [.lost(inFlight[0].step.id)] }
        if let problem = mismatch(of: result, with: step) { return [.brokenResult(result.id, problem)] }
        pace.note(step, sentAt: inFlight[index].sentAt, previousResultAt: lastProgressAt, at: now)
        inFlight.remove(at: index)
        for earlier in inFlight[..<index].indices {
            inFlight[earlier].overtakenAt = inFlight[earlier].overtakenAt ?? now
        }
        lastProgressAt = now
        lastTokenPassedAt = now
        line?.hasPassedToken = true
        return result.slices.flatMap { take($0, at: now) }
    }

    private mutating func take(_ slice: SliceResult, at now: Instant) -> [Effect] {
        guard let index = running.firstIndex(where: { $0.id == slice.sequence }) else { return [] }
        switch slice.output {
        case .none: return []
        case .sampled(let choice): return commit(choice, to: index, at: now)
        case .scored(let score):
            guard let text = running[index].score?.append(score), let ticket = running[index].ticket else { return [] }
            end(index, at: now)
            return [.scored(ticket, text)]
        }
    }

    private mutating func commit(_ choice: TokenChoice, to index: Int, at now: Instant) -> [Effect] {
        guard case .generation(let request) = running[index].request.work else { return [] }
        guard let ticket = running[index].ticket else {
            end(index, at: now)
            return []
        }
        tokenRate.add(1, at: now)
        let isFirst = running[index].request.committedTokenCount == 0
        let reusedTokenCount = running[index].reusedTokenCount
        var effects: [Effect] = isFirst && reusedTokenCount > 0 ? [.reused(ticket, tokenCount: reusedTokenCount)] : []
        running[index].request.commit(choice.token)
        effects.append(.token(ticket, choice))
        let isStop = request.stopTokens.contains(choice.token)
        guard isStop || running[index].request.committedTokenCount >= request.maximumTokenCount else {
            running[index].isDecoding = true
            return effects
        }
        end(index, keepsPrefix: true, at: now)
        return effects + [.finished(ticket, isStop ? .stop : .length)]
    }

    /// How a result fails to answer its step; nil if it does not.
    private func mismatch(of result: StepResult, with step: Step) -> String? {
        guard result.slices.count == step.slices.count else {
            return "\(result.slices.count) slices answer \(step.slices.count)"
        }
        for (answer, slice) in zip(result.slices, step.slices) {
            guard answer.sequence == slice.sequence else {
                return "sequence \(answer.sequence.number) answers sequence \(slice.sequence.number)"
            }
            switch (slice.output, answer.output) {
            case (.none, .none): continue
            case (.sample, .sampled(let choice)) where (0..<configuration.vocabularySize).contains(Int(choice.token)):
                continue
            case (.score(let targets, let topCount), .scored(let score))
            where score.targetLogProbabilities.count == targets.count && score.top.count == slice.tokens.count
                && score.top.allSatisfy { $0.count == min(topCount, configuration.vocabularySize) }:
                continue
            default: return "the answer for sequence \(answer.sequence.number) is not of the kind that was asked for"
            }
        }
        return nil
    }

    /// Takes the sequences that have a slice in a step off the pipeline: their requests begin anew, or end if that
    /// cannot help. Stages after the failure have not seen what it gave back, so that goes out again. That of a step
    /// without rows does in any case.
    mutating func fail(_ id: StepID, _ error: GenerationError, isRetryable: Bool, at now: Instant) -> [Effect] {
        guard let position = inFlight.firstIndex(where: { $0.step.id == id }) else { return [] }
        if isRetryable, let lost = lostStep(before: position) { return [.lost(lost)] }
        let step = inFlight.remove(at: position).step
        unreleased += step.released
        forgetKept(in: step)
        lastProgressAt = now
        let hit = running.indices.filter { index in step.slices.contains { $0.sequence == running[index].id } }
        guard isRetryable else {
            let effects = hit.compactMap { index in running[index].ticket.map { Effect.failed($0, error) } }
            for index in hit.reversed() { end(index, at: now) }
            return effects
        }
        return rebuild(hit.reversed().map { release($0) }.reversed(), because: error.description)
    }

    /// Whether a sequence that runs waits for that step's result.
    func isAwaited(_ step: StepID) -> Bool {
        guard let sent = inFlight.first(where: { $0.step.id == step }) else { return false }
        return sent.step.slices.contains { slice in running.contains { $0.id == slice.sequence } }
    }

    /// The step that was lost with a connection between two stages, so that one behind it does not fit what the stage
    /// holds: it lacks a part of its sequence, or the KV that was given back. The news of a failure would have come
    /// before. At worst, nothing was lost and the pipeline begins anew in vain.
    private func lostStep(before position: Int) -> StepID? {
        let sequences = inFlight[position].step.slices.map(\.sequence)
        return inFlight[..<position].first { earlier in
            !earlier.step.released.isEmpty || earlier.step.slices.contains { sequences.contains($0.sequence) }
        }?.step.id
    }

    /// When the oldest step is overdue, or one that was overtaken counts as lost; nil if none is in flight.
    var stallDeadline: Instant? {
        guard let oldest = inFlight.first else { return nil }
        if let overtakenAt = oldest.overtakenAt { return overtakenAt.advanced(by: Self.overtakenLimit) }
        let start = max(oldest.sentAt, lastProgressAt)
        return start.advanced(by: configuration.stepTimeout * (1 + oldest.step.rowCount / 256))
    }

    func stalled(at now: Instant) -> Effect? {
        guard let oldest = inFlight.first, let deadline = stallDeadline, deadline <= now else { return nil }
        if oldest.overtakenAt != nil { return .lost(oldest.step.id) }
        return .stalled(oldest.step.id, after: max(oldest.sentAt, lastProgressAt).duration(to: now))
    }
}
