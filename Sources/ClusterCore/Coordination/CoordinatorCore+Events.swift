import Transport

extension CoordinatorCore {
    public enum Event: Sendable {
        /// A control message, whose sender is who the connection says.
        case control(Envelope, from: Connection)
        /// A control message of a protocol version that is not ours.
        case otherVersion(theirs: UInt32, NodeID, from: Connection)
        /// A control message could not be sent, as its connection is closed.
        case closed(NodeID, Connection)
        /// Other keys are known than before, and these nodes no longer by the ones that they have.
        case keysChanged(Keyring, revoked: [NodeID])
        /// A message on the data plane, whose cluster and sender have been checked.
        case data(Envelope)
        /// A step could not be sent to that rank of the first stage: it breaks a limit of the protocol, or the rank takes
        /// nothing. Those after it have not been tried.
        case stepNotSent(StepID, Epoch, to: NodeID, LinkError)
        /// See `Scheduler.Event`.
        case submitted(Ticket, Work, committed: [Int32] = [])
        case restored(Ticket, Work, committed: [Int32])
        case cancelled(Ticket)
        /// An operator wants it; nothing happens if `refusal(of:at:)` is not nil.
        case operation(ClusterOperation)
        /// Time has passed.
        case tick
    }

    public enum Effect: Sendable, Equatable {
        /// Send a control message.
        case answer(Envelope, to: Connection)
        /// Open data links to the ranks of a pipeline's first stage, anew where there are some, and close all others but
        /// those to the first stages of other replicas.
        case connect([Peer], keeping: [NodeID] = [])
        /// Send a step to these ranks of the first stage, in order, up to the first to which it cannot be sent.
        case sendStep(Envelope, Step, to: [NodeID])
        /// See `Scheduler.Effect`.
        case reused(Ticket, tokenCount: Int)
        case token(Ticket, TokenChoice)
        /// Each request ends with one of `finished`, `scored` and `failed`, unless it is cancelled.
        case finished(Ticket, FinishReason)
        case scored(Ticket, ScoredText)
        case failed(Ticket, GenerationError)
        /// For the log.
        case notice(Notice)
        /// The workers are gone: end.
        case shutDown
    }
}

/// Something that an operator may want to know of.
public enum Notice: Sendable, Equatable {
    case joined(NodeID, Hello)
    case refused(NodeID, reason: String)
    case suspected(NodeID, silence: Duration)
    case recovered(NodeID)
    case lost(NodeID, reason: String)
    case left(NodeID, reason: String)
    case epochOpened(PlacedPipeline, replica: Int)
    case stageReady(NodeID, StageReady)
    case loadingFailed(NodeID, reason: String)
    /// Requests can run; how long after the pipeline before ended, if there was one, and how many that had begun are now
    /// rebuilt.
    case serving(PlacedPipeline, after: Duration?, interruptedRequestCount: Int)
    /// A placement is over; how many requests were open then.
    case epochEnded(Epoch, node: NodeID?, reason: String, openRequestCount: Int)
    case stepFailed(StepID, NodeID, reason: String)
    case drained(NodeID, isForced: Bool)
    case resumed(NodeID)
    case shuttingDown(openRequestCount: Int)
    /// How many replicas there are, as it was planned: the workers of each.
    case replicasPlanned([[NodeID]])
    case workerMoved(NodeID, from: Int, to: Int)
    /// Requests that waited at one replica go on at others.
    case requestsMoved(count: Int, from: Int)
    /// A replica has failed several times, and gets no new requests for that long while others can take them.
    case breakerOpened(replica: Int, backOff: Duration)
    case breakerClosed(replica: Int)
    /// All that was to be measured is; how many links are.
    case measured(linkCount: Int)
    case notMeasured(reason: String)
}
