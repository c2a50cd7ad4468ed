import CClusterProto
import Transport

extension EncodingArena {
    func assignment(_ assignment: StageAssignment) -> UnsafeMutablePointer<Ryz__V1__StageAssignment> {
        let file = make(ryz__v1__model_file_reference__init)
        file.pointee.path = string(assignment.modelFile.path)
        file.pointee.byte_count = assignment.modelFile.byteCount
        file.pointee.header_digest = binary(assignment.modelFile.headerDigest)

        let message = make(ryz__v1__stage_assignment__init)
        message.pointee.model_file = file
        message.pointee.stage = UInt32(assignment.stage)
        message.pointee.stage_count = UInt32(assignment.stageCount)
        message.pointee.rank = UInt32(assignment.rank)
        message.pointee.n_ranks = assignment.ranks.count
        message.pointee.ranks = messages(assignment.ranks, stageRank)
        message.pointee.first_layer = UInt32(assignment.layers.lowerBound)
        message.pointee.end_layer = UInt32(assignment.layers.upperBound)
        message.pointee.n_next = assignment.next.count
        message.pointee.next = messages(assignment.next, peer)
        message.pointee.previous_node = string(assignment.previous.name)
        message.pointee.context_length = UInt32(assignment.contextLength)
        message.pointee.key_value_token_capacity = UInt64(assignment.keyValueTokenCapacity)
        message.pointee.maximum_step_row_count = UInt32(assignment.maximumStepRowCount)
        message.pointee.head_precision =
            switch assignment.headPrecision {
            case .automatic: RYZ__V1__HEAD_PRECISION__HEAD_PRECISION_AUTOMATIC
            case .eightBit: RYZ__V1__HEAD_PRECISION__HEAD_PRECISION_EIGHT_BIT
            case .stored: RYZ__V1__HEAD_PRECISION__HEAD_PRECISION_STORED
            }
        message.pointee.activation_grid =
            switch assignment.activationGrid {
            case .exact: RYZ__V1__ACTIVATION_GRID__ACTIVATION_GRID_EXACT
            case .segment: RYZ__V1__ACTIVATION_GRID__ACTIVATION_GRID_SEGMENT
            }
        return message
    }

    private func stageRank(_ rank: StageRank) -> UnsafeMutablePointer<Ryz__V1__StageRank> {
        let message = make(ryz__v1__stage_rank__init)
        message.pointee.peer = peer(rank.peer)
        message.pointee.share = share(rank.share)
        return message
    }

    func peer(_ peer: Peer) -> UnsafeMutablePointer<Ryz__V1__Peer> {
        let message = make(ryz__v1__peer__init)
        message.pointee.node = string(peer.node.name)
        message.pointee.data_endpoint = string(peer.dataEndpoint)
        message.pointee.host_id = string(peer.hostID)
        return message
    }

    private func share(_ share: RankShare) -> UnsafeMutablePointer<Ryz__V1__RankShare> {
        let message = make(ryz__v1__rank_share__init)
        message.pointee.first_key_value_head = UInt32(share.keyValueHeads.lowerBound)
        message.pointee.end_key_value_head = UInt32(share.keyValueHeads.upperBound)
        message.pointee.first_feed_forward_block = UInt32(share.feedForwardBlocks.lowerBound)
        message.pointee.end_feed_forward_block = UInt32(share.feedForwardBlocks.upperBound)
        message.pointee.first_vocabulary_chunk = UInt32(share.vocabularyChunks.lowerBound)
        message.pointee.end_vocabulary_chunk = UInt32(share.vocabularyChunks.upperBound)
        return message
    }
}
