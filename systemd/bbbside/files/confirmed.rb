# frozen_string_literal: true

require 'json'

module ScaleliteSend
  # What the load balancer was known to have, or to have deleted, of the last
  # days: a small file for each recording with the stamps of its formats. What of
  # that is not there any more was removed for good, and must not come back
  # because this server still has it.
  class Confirmed
    # In seconds. The daily look goes back over fewer days, and does not need to
    # know of a recording that was last worked on before them.
    KEPT = 8 * 24 * 3600

    def initialize(state)
      @dir = "#{state}/confirmed"
    end

    # Notes what became of a job.
    def note(job)
      return unless job['stamps'] && job['touched'].to_i > Time.now.to_i - KEPT

      Queue.write(@dir, job['id'], JSON.generate(job['stamps']))
    end

    # Whether all that is here of a recording was confirmed, in these versions. Of
    # what cannot be read it is not known.
    def all_of?(id, trees)
      stamps = JSON.parse(File.read("#{@dir}/#{id}"))
      here = Recording.find(id, trees)
      here && here.stamps <= stamps
    rescue SystemCallError, JSON::ParserError
      false
    end

    # Forgets what the daily look will not come upon any more.
    def forget
      paths = Dir.children(@dir).map { |name| "#{@dir}/#{name}" }
      paths.each { |path| File.unlink(path) if File.mtime(path) < Time.now - KEPT }
    end
  end
end
