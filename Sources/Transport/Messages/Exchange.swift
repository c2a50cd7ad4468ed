/// What one rank of a stage gives another in the middle of a step: its part rides as one raw frame behind it.
public struct Exchange: Equatable, Sendable {
    public var step: StepID
    /// Which exchange of the step it is, 0 first. All ranks of a stage count alike.
    public var round: UInt32

    public init(step: StepID, round: UInt32) {
        self.step = step
        self.round = round
    }
}
