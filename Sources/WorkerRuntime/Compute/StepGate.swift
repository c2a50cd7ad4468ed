import Transport

/// Decides, before a step is computed, whether it is one that this stage can take next.
package struct StepGate: Sendable {
    /// Why a step is not computed.
    package struct Rejection: Error, Equatable, Sendable {
        package var reason: DropReason
        /// For the coordinator.
        package var message: String
    }

    private let isFirstStage: Bool
    private let hiddenSize: Int
    private let maximumStepRowCount: Int
    private var lastStep: StepID?

    package init(isFirstStage: Bool, hiddenSize: Int, maximumStepRowCount: Int) {
        self.isFirstStage = isFirstStage
        self.hiddenSize = hiddenSize
        self.maximumStepRowCount = maximumStepRowCount
    }

    /// Checks a step of the present epoch from the right sender.
    ///
    /// - Parameter payloadByteCount: size of the frame behind its envelope; nil if there was none.
    package mutating func check(_ step: Step, payloadByteCount: Int?) throws(Rejection) {
        if let lastStep, step.id <= lastStep {
            throw Rejection(
                reason: .outOfOrder,
                message: "step \(step.id.number) came after step \(lastStep.number); steps of one epoch only grow")
        }
        lastStep = step.id
        let rowCount = step.rowCount
        guard rowCount <= maximumStepRowCount else {
            throw Rejection(
                reason: .oversized,
                message: "step \(step.id.number) has \(rowCount) rows, but this stage was made for at most "
                    + "\(maximumStepRowCount); split it")
        }
        if isFirstStage {
            guard payloadByteCount == nil else {
                throw Rejection(
                    reason: .wrongPayloadSize,
                    message: "step \(step.id.number) came to the first stage with \(payloadByteCount ?? 0) bytes of "
                        + "hidden states; it starts from tokens")
            }
        } else {
            // Rows and hidden size are both bounded, so this stays far below Int.max.
            let expected = rowCount * hiddenSize * MemoryLayout<Float>.size
            guard (payloadByteCount ?? 0) == expected else {
                throw Rejection(
                    reason: .wrongPayloadSize,
                    message: "step \(step.id.number) came with \(payloadByteCount ?? 0) bytes of hidden states; its "
                        + "\(rowCount) rows of \(hiddenSize) take \(expected)")
            }
        }
    }
}
