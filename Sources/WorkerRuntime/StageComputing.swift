public import Collectives
import Transport

/// One stage of the model as its worker drives it: a range of layers with their KV cache. Used by one thread.
public protocol StageComputing: AnyObject {
    /// Width of a row of hidden states.
    var hiddenSize: Int { get }
    /// Resident bytes of the stage's weights.
    var weightsByteCount: Int { get }
    /// Tokens that the KV cache holds now, over all sequences.
    var keyValueTokenCount: Int { get }
    /// Tokens that the KV cache can hold.
    var keyValueTokenCapacity: Int { get }

    /// Runs a step on the first stage, where no hidden states come in.
    func run(_ step: Step) throws(StageError) -> StageOutput

    /// Runs a step on any later stage.
    ///
    /// - Parameter hiddenStates: `[step.rowCount × hiddenSize]` float32, in the order of the slices; its size has been
    ///   checked, and it starts at an address that is a multiple of 8.
    func run(_ step: Step, hiddenStates: RawSpan) throws(StageError) -> StageOutput

    /// Forgets all sequences, as if it had just been loaded for a stage of these ranks. The weights stay.
    func reset(joining group: RankGroup) throws(StageError)

    /// Gives `body` the hidden states of the step just run, `[step.rowCount × hiddenSize]` float32.
    func withHiddenStates<Result>(_ body: (RawSpan) throws(LinkError) -> Result) throws(LinkError) -> Result
}

/// What became of a step on one stage.
public enum StageOutput: Equatable, Sendable {
    /// Hidden states for the next stage; `withHiddenStates` gives them.
    case hiddenStates
    /// The last stage's answer to the coordinator.
    case result(StepResult)
    /// Another rank of the last stage answers.
    case nothing
}

/// Why a stage could not be loaded, or could not run a step. The stage can be used on.
public struct StageError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Place, problem and remedy.
    public var message: String
    /// Whether doing it again can help.
    public var isRetryable: Bool
    /// The rank of the same stage that did not do its part, if that was it: the ranks are no longer in step.
    public var silentRank: Int?

    public init(_ message: String, isRetryable: Bool, silentRank: Int? = nil) {
        self.message = message
        self.isRetryable = isRetryable
        self.silentRank = silentRank
    }

    public var description: String { message }
}
