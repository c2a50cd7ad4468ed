import Transport

extension Scheduler {
    /// Sends all that may be sent now.
    mutating func advance(at now: Instant) -> [Effect] {
        guard let line else { return [] }
        var effects: [Effect] = []
        if running.isEmpty, waiting.isEmpty, inFlight.isEmpty,
            idleSince(line).advanced(by: configuration.probeInterval) <= now
        {
            probe()
        }
        admit()
        while inFlight.count <= line.stageCount {
            var slices = decodeSlices(stageCount: line.stageCount)
            let isDecoding = !slices.isEmpty
            slices += knownSlices(besides: slices.count)
            guard !slices.isEmpty else { break }
            let effect = newStep(slices, isDecoding: isDecoding, at: now)
            note(slices)
            effects.append(effect)
        }
        if inFlight.isEmpty, !unreleased.isEmpty { effects.append(newStep([], isDecoding: false, at: now)) }
        return effects
    }

    /// The rows of sequences that decode, those first whose last row is longest ago.
    private func decodeSlices(stageCount: Int) -> [SequenceSlice] {
        guard inFlight.count(where: \.isDecoding) < stageCount else { return [] }
        let decodingCount = running.count { $0.isDecoding }
        let groupSize = min((decodingCount + stageCount - 1) / stageCount, configuration.maximumStepRowCount)
        let ready = running.indices.filter { running[$0].hasDecodeSlice }
            .sorted { (running[$0].lastStepNumber, $0) < (running[$1].lastStepNumber, $1) }
        return ready.prefix(groupSize).compactMap { running[$0].decodeSlice }
    }

    /// Chunks of prompts and texts, in order of admission. While others decode, they have to wait for no more than a
    /// quarter of a step's rows.
    private func knownSlices(besides rowCount: Int) -> [SequenceSlice] {
        let limit = configuration.maximumStepRowCount
        let othersDecode = running.contains { $0.isDecoding }
        var remaining = min(limit - rowCount, othersDecode ? max(1, limit / 4) : limit)
        var slices: [SequenceSlice] = []
        for sequence in running where remaining > 0 && sequence.unsentKnownTokenCount > 0 {
            // A chunk to score keeps the size that was asked for, so a step of its own may exceed the quarter.
            let rowLimit = slices.isEmpty && sequence.score != nil ? limit - rowCount : remaining
            guard let slice = sequence.nextKnownSlice(rowLimit: rowLimit, maximumStepRowCount: limit) else { break }
            slices.append(slice)
            // Its result may be large, so it has no company that follows it.
            if sequence.score != nil { break }
            remaining -= slice.tokens.count
        }
        return slices
    }

    private mutating func note(_ slices: [SequenceSlice]) {
        guard let number = inFlight.last?.step.id.number else { return }
        for slice in slices {
            guard let index = running.firstIndex(where: { $0.id == slice.sequence }) else { continue }
            running[index].sentTokenCount = slice.startPosition + slice.tokens.count
            running[index].lastStepNumber = number
            guard running[index].takenOver.take() != nil else { continue }
            reusedTokenCount += UInt64(running[index].reusedTokenCount)
        }
    }
}
