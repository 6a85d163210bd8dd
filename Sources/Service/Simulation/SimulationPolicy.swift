// The policies that a simulation compares. All of them are settings of the one engine.

public import Engine

public enum SimulationPolicy: String, CaseIterable, Sendable {
    /// By arrival; nothing overtakes a job that does not fit.
    case fifo
    /// By priority, then arrival; whatever fits overtakes.
    case priority
    /// By arrival; the first job that does not fit has a reservation, and what delays it not overtakes.
    case easy
    /// By arrival; every job that waits has a reservation, as far as the engine's limit goes.
    case conservative
    /// As the service decides.
    case ours

    /// Blocked jobs for which places are kept at once, where all that wait should have one.
    private static let mostReservations = 1000

    public var settings: EngineSettings {
        var settings = EngineSettings()
        switch self {
        case .ours: return settings
        case .fifo:
            settings.order = .arrival
            settings.overtaking = false
            settings.reservations = 0
        case .priority:
            settings.order = .priority
            settings.agingSeconds = 0
            settings.reservations = 0
        case .easy:
            settings.order = .arrival
            settings.reservations = 1
        case .conservative:
            settings.order = .arrival
            settings.reservations = Self.mostReservations
        }
        return settings
    }
}
