import ClusterCore

extension API {
    /// How many tokens may be generated after a prompt.
    ///
    /// - Parameter wanted: what the client asked for; nil for all that the context has room for.
    /// - Throws: `.contextExceeded` if there is no room for that.
    func tokenLimit(_ wanted: Int?, promptTokenCount: Int) throws(GenerationError) -> Int {
        let room = model.contextLength - promptTokenCount
        let limit = wanted ?? max(room, 1)
        guard limit <= room else {
            throw .contextExceeded(
                promptTokenCount: promptTokenCount, maximumTokenCount: limit, contextLength: model.contextLength)
        }
        return limit
    }

    /// One choice that generates.
    ///
    /// - Parameters:
    ///   - index: its position among all choices of the request.
    ///   - owner: see `GenerationRequest.owner`.
    func choice(
        _ index: Int, of identity: AnswerIdentity, owner: String?, prompt: [Int32], tokenLimit: Int,
        common: SamplingFields, topLogProbabilityCount: Int?
    ) -> ChoicePlan {
        let endTokens = common.ignoresEndOfGeneration ? [] : codec.endOfGenerationTokens
        let request = GenerationRequest(
            id: "\(identity.id)-\(index)", promptTokens: prompt, maximumTokenCount: tokenLimit,
            sampling: common.sampling(
                choice: index % common.choiceCount, topLogProbabilityCount: topLogProbabilityCount),
            stopTokens: endTokens + common.stopTokens.filter { !endTokens.contains($0) }, owner: owner)
        return ChoicePlan(
            request: request,
            options: .init(
                stopStrings: common.stopStrings, skipsSpecialTokens: common.skipsSpecialTokens,
                reportsTokens: topLogProbabilityCount != nil, silentStopTokens: endTokens))
    }
}
