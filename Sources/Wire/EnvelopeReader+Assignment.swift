import CClusterProto
import Transport

extension EnvelopeReader {
    func assignment(_ message: UnsafeMutablePointer<Ryz__V1__StageAssignment>) throws(WireError) -> StageAssignment {
        guard let file = message.pointee.model_file else {
            throw .invalid(field: "assignment.modelFile", problem: "is missing")
        }
        let limit = limits.maximumRankCount
        guard message.pointee.first_layer < message.pointee.end_layer else {
            throw .invalid(
                field: "assignment.layers",
                problem: "from \(message.pointee.first_layer) to before \(message.pointee.end_layer) holds no layer")
        }
        let previous = try text(message.pointee.previous_node, "assignment.previous", limit: 64)
        return StageAssignment(
            modelFile: ModelFileReference(
                path: try text(file.pointee.path, "assignment.modelFile.path"),
                byteCount: file.pointee.byte_count,
                headerDigest: try binary(
                    file.pointee.header_digest, "assignment.modelFile.headerDigest", byteCount: 32)),
            stage: Int(message.pointee.stage),
            stageCount: Int(message.pointee.stage_count),
            rank: Int(message.pointee.rank),
            ranks: try values(
                message.pointee.ranks, message.pointee.n_ranks, "assignment.ranks", limit: limit, stageRank),
            layers: Int(message.pointee.first_layer)..<Int(message.pointee.end_layer),
            next: try values(
                message.pointee.next, message.pointee.n_next, "assignment.next", limit: limit, peer),
            previous: try node(previous, "assignment.previous"),
            contextLength: Int(message.pointee.context_length),
            keyValueTokenCapacity: try integer(
                message.pointee.key_value_token_capacity, "assignment.keyValueTokenCapacity"),
            maximumStepRowCount: Int(message.pointee.maximum_step_row_count),
            headPrecision: try headPrecision(message.pointee.head_precision),
            activationGrid: try activationGrid(message.pointee.activation_grid))
    }

    private func stageRank(
        _ message: UnsafeMutablePointer<Ryz__V1__StageRank>, _ place: String
    ) throws(WireError) -> StageRank {
        guard let peer = message.pointee.peer, let share = message.pointee.share else {
            throw .invalid(field: place, problem: "has no peer or no share")
        }
        return StageRank(peer: try self.peer(peer, "\(place).peer"), share: try self.share(share, "\(place).share"))
    }

    func peer(_ message: UnsafeMutablePointer<Ryz__V1__Peer>, _ place: String) throws(WireError) -> Peer {
        let name = try text(message.pointee.node, "\(place).node", limit: 64)
        return Peer(
            node: try node(name, "\(place).node"),
            dataEndpoint: try endpoint(message.pointee.data_endpoint, "\(place).dataEndpoint"),
            hostID: try text(message.pointee.host_id, "\(place).hostID", limit: limits.maximumHostIDByteCount))
    }

    private func share(
        _ message: UnsafeMutablePointer<Ryz__V1__RankShare>, _ place: String
    ) throws(WireError) -> RankShare {
        RankShare(
            keyValueHeads: try parts(
                message.pointee.first_key_value_head, message.pointee.end_key_value_head, "\(place).keyValueHeads"),
            feedForwardBlocks: try parts(
                message.pointee.first_feed_forward_block, message.pointee.end_feed_forward_block,
                "\(place).feedForwardBlocks"),
            vocabularyChunks: try parts(
                message.pointee.first_vocabulary_chunk, message.pointee.end_vocabulary_chunk,
                "\(place).vocabularyChunks"))
    }

    private func parts(_ first: UInt32, _ end: UInt32, _ field: String) throws(WireError) -> Range<Int> {
        guard first <= end else {
            throw .invalid(field: field, problem: "it ends before \(end) but begins with \(first)")
        }
        return Int(first)..<Int(end)
    }

    /// Any number may have come: proto3's enumerations are open.
    private func headPrecision(_ value: Ryz__V1__HeadPrecision) throws(WireError) -> HeadPrecision {
        switch value {
        case RYZ__V1__HEAD_PRECISION__HEAD_PRECISION_AUTOMATIC: return .automatic
        case RYZ__V1__HEAD_PRECISION__HEAD_PRECISION_EIGHT_BIT: return .eightBit
        case RYZ__V1__HEAD_PRECISION__HEAD_PRECISION_STORED: return .stored
        default: throw unknown(value.rawValue, "assignment.headPrecision")
        }
    }

    private func activationGrid(_ value: Ryz__V1__ActivationGrid) throws(WireError) -> ActivationGrid {
        switch value {
        case RYZ__V1__ACTIVATION_GRID__ACTIVATION_GRID_EXACT: return .exact
        case RYZ__V1__ACTIVATION_GRID__ACTIVATION_GRID_SEGMENT: return .segment
        default: throw unknown(value.rawValue, "assignment.activationGrid")
        }
    }

    func unknown(_ value: UInt32, _ field: String) -> WireError {
        .invalid(
            field: field,
            problem: "\(value) is none that is known here; install the same release on all machines")
    }
}
