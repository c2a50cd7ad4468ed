import CClusterProto
import Transport

extension EnvelopeReader {
    func weightsOffer(_ message: UnsafeMutablePointer<Ryz__V1__WeightsOffer>) throws(WireError) -> WeightsOffer {
        let digest = message.pointee.header_digest
        return WeightsOffer(
            endpoint: try endpoint(message.pointee.endpoint, "weightsOffer.endpoint"),
            headerDigest: digest.len == 0 ? [] : try binary(digest, "weightsOffer.headerDigest", byteCount: 32),
            heldByteCount: message.pointee.held_byte_count)
    }

    func weightsSources(
        _ message: UnsafeMutablePointer<Ryz__V1__WeightsSources>
    ) throws(WireError) -> WeightsSources {
        WeightsSources(
            peers: try values(
                message.pointee.peers, message.pointee.n_peers, "weightsSources.peers", limit: WeightsSources.limit,
                peer))
    }

    func weightsRequest(
        _ message: UnsafeMutablePointer<Ryz__V1__WeightsRequest>
    ) throws(WireError) -> WeightsRequest {
        let item: WeightsRequest.Item
        switch message.pointee.item_case {
        case RYZ__V1__WEIGHTS_REQUEST__ITEM_CONTENT_OF_HEADER:
            item = .content(
                headerDigest: try binary(
                    message.pointee.content_of_header, "weightsRequest.contentOfHeader", byteCount: 32))
        case RYZ__V1__WEIGHTS_REQUEST__ITEM_MANIFEST:
            item = .manifest(
                content: try binary(message.pointee.manifest, "weightsRequest.manifest", byteCount: 32))
        case RYZ__V1__WEIGHTS_REQUEST__ITEM_HOLDINGS:
            item = .holdings(
                content: try binary(message.pointee.holdings, "weightsRequest.holdings", byteCount: 32))
        case RYZ__V1__WEIGHTS_REQUEST__ITEM_CHUNK:
            let chunk = try present(message.pointee.chunk)
            item = .chunk(
                WeightsChunk(
                    content: try binary(chunk.pointee.content, "weightsRequest.chunk.content", byteCount: 32),
                    file: Int(chunk.pointee.file), index: Int(chunk.pointee.index)))
        default: throw .missingBody
        }
        return WeightsRequest(number: message.pointee.number, item: item)
    }

    func weightsReply(_ message: UnsafeMutablePointer<Ryz__V1__WeightsReply>) throws(WireError) -> WeightsReply {
        let result: WeightsReply.Result
        switch message.pointee.result_case {
        case RYZ__V1__WEIGHTS_REPLY__RESULT_CONTENT:
            result = .content(try binary(message.pointee.content, "weightsReply.content", byteCount: 32))
        case RYZ__V1__WEIGHTS_REPLY__RESULT_BYTES: result = .bytes
        case RYZ__V1__WEIGHTS_REPLY__RESULT_HASHING:
            result = .hashing(loadingProgress(try present(message.pointee.hashing)))
        case RYZ__V1__WEIGHTS_REPLY__RESULT_PROBLEM:
            result = .problem(try text(message.pointee.problem, "weightsReply.problem"))
        default: throw .missingBody
        }
        return WeightsReply(number: message.pointee.number, result: result)
    }
}
