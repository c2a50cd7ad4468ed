import Transport

extension EnvelopeRules {
    func check(_ offer: WeightsOffer) throws(WireError) {
        if !offer.endpoint.isEmpty { try endpoint(offer.endpoint, "weightsOffer.endpoint") }
        if !offer.headerDigest.isEmpty { try digest(offer.headerDigest, "weightsOffer.headerDigest") }
    }

    func check(_ sources: WeightsSources) throws(WireError) {
        try count(sources.peers.count, "weightsSources.peers", limit: WeightsSources.limit)
        for (index, source) in sources.peers.enumerated() { try check(source, "weightsSources.peers[\(index)]") }
    }

    func check(_ request: WeightsRequest) throws(WireError) {
        switch request.item {
        case .content(let headerDigest): try digest(headerDigest, "weightsRequest.contentOfHeader")
        case .manifest(let content): try digest(content, "weightsRequest.manifest")
        case .holdings(let content): try digest(content, "weightsRequest.holdings")
        case .chunk(let chunk):
            try digest(chunk.content, "weightsRequest.chunk.content")
            try range(chunk.file, "weightsRequest.chunk.file", 0...limits.maximumFileCount - 1)
            try range(chunk.index, "weightsRequest.chunk.index", 0...limits.maximumChunkCount - 1)
        }
    }

    func check(_ reply: WeightsReply) throws(WireError) {
        switch reply.result {
        case .content(let content): try digest(content, "weightsReply.content")
        case .bytes: break
        case .hashing(let progress):
            try range(progress.doneByteCount, "weightsReply.hashing.doneByteCount", 0...progress.byteCount)
        case .problem(let problem): try text(problem, "weightsReply.problem")
        }
    }
}
