import CClusterProto
import Transport

extension EncodingArena {
    func weightsOffer(_ offer: WeightsOffer) -> UnsafeMutablePointer<Ryz__V1__WeightsOffer> {
        let message = make(ryz__v1__weights_offer__init)
        message.pointee.endpoint = string(offer.endpoint)
        message.pointee.header_digest = binary(offer.headerDigest)
        message.pointee.held_byte_count = offer.heldByteCount
        return message
    }

    func weightsSources(_ sources: WeightsSources) -> UnsafeMutablePointer<Ryz__V1__WeightsSources> {
        let message = make(ryz__v1__weights_sources__init)
        message.pointee.n_peers = sources.peers.count
        message.pointee.peers = messages(sources.peers, peer)
        return message
    }

    func weightsRequest(_ request: WeightsRequest) -> UnsafeMutablePointer<Ryz__V1__WeightsRequest> {
        let message = make(ryz__v1__weights_request__init)
        message.pointee.number = request.number
        switch request.item {
        case .content(let headerDigest):
            message.pointee.item_case = RYZ__V1__WEIGHTS_REQUEST__ITEM_CONTENT_OF_HEADER
            message.pointee.content_of_header = binary(headerDigest)
        case .manifest(let content):
            message.pointee.item_case = RYZ__V1__WEIGHTS_REQUEST__ITEM_MANIFEST
            message.pointee.manifest = binary(content)
        case .holdings(let content):
            message.pointee.item_case = RYZ__V1__WEIGHTS_REQUEST__ITEM_HOLDINGS
            message.pointee.holdings = binary(content)
        case .chunk(let chunk):
            let part = make(ryz__v1__weights_chunk__init)
            part.pointee.content = binary(chunk.content)
            part.pointee.file = UInt32(chunk.file)
            part.pointee.index = UInt32(chunk.index)
            message.pointee.item_case = RYZ__V1__WEIGHTS_REQUEST__ITEM_CHUNK
            message.pointee.chunk = part
        }
        return message
    }

    func weightsReply(_ reply: WeightsReply) -> UnsafeMutablePointer<Ryz__V1__WeightsReply> {
        let message = make(ryz__v1__weights_reply__init)
        message.pointee.number = reply.number
        switch reply.result {
        case .content(let content):
            message.pointee.result_case = RYZ__V1__WEIGHTS_REPLY__RESULT_CONTENT
            message.pointee.content = binary(content)
        case .bytes:
            message.pointee.result_case = RYZ__V1__WEIGHTS_REPLY__RESULT_BYTES
            message.pointee.bytes = 1
        case .hashing(let progress):
            message.pointee.result_case = RYZ__V1__WEIGHTS_REPLY__RESULT_HASHING
            message.pointee.hashing = loadingProgress(progress)
        case .problem(let problem):
            message.pointee.result_case = RYZ__V1__WEIGHTS_REPLY__RESULT_PROBLEM
            message.pointee.problem = string(problem)
        }
        return message
    }
}
