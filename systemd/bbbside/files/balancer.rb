# frozen_string_literal: true

require 'json'
require 'net/http'
require 'openssl'
require 'time'
require 'uri'

module ScaleliteSend
  # The load balancer's calls for its servers.
  class Balancer
    # It cannot be reached, or is not able to answer. Nothing can be sent now.
    class Away < Error; end

    # It answers, but not to us: the secret, the host, or the address is wrong.
    # Nothing can be sent before somebody changes something.
    class Refused < Error; end

    # It did not take this one upload, or cannot tell about this one recording.
    # again is the wait that it asked for, in seconds, or nil.
    class NotTaken < Error
      attr_reader :again

      def initialize(text, again = nil)
        super(text)
        @again = again
      end
    end

    # Somebody deleted the recording there: it is not wanted again.
    class Deleted < Error; end

    PATH = '/scalelite/api/recordings'
    # How long a token is valid, in seconds. It is checked when a request begins.
    VALID = 600
    OPEN_TIMEOUT = 15
    READ_TIMEOUT = 60
    WRITE_TIMEOUT = 120
    # The load balancer looks through a tarball before it answers.
    UPLOAD_TIMEOUT = 20 * 60
    # How long to wait for the leave to send a body.
    CONTINUE_TIMEOUT = 30
    MAX_ANSWER = 1 << 20
    # The answers of what stands before a load balancer that is not there.
    AWAY = %w[502 503 504].freeze
    # A clock that is further off than this, in seconds, is worth a word.
    SKEW = 60

    # How far this clock is ahead of the load balancer's, in seconds, as of the
    # last answer; nil before there is one.
    attr_reader :skew

    def initialize(settings, secret)
      @uri = URI.parse(settings.balancer)
      raise Error, "#{settings.balancer} is no address of a load balancer" unless @uri.is_a?(URI::HTTP) && @uri.host

      @settings = settings
      @secret = secret
      @skew = nil
    end

    # What it has of a recording, nil if nothing. A recording that was deleted
    # there has the state "deleted".
    def recording(id)
      get(id, "#{PATH}/#{id}")
    end

    # How the import of an upload goes; nil if it knows of none.
    def import(id, import)
      get(id, "#{PATH}/imports/#{import}")
    end

    # Sends a tarball and returns the ID of its import.
    def upload(id, tarball)
      request = Net::HTTP::Post.new("#{@uri.path}#{PATH}/upload", headers(id))
      request['Content-Type'] = 'application/x-tar'
      request['Content-Length'] = tarball.size.to_s
      request['Expect'] = '100-continue'
      request.body_stream = tarball
      answer = exchange(request, UPLOAD_TIMEOUT)
      fields = fields_of(answer)
      return fields['import'] if answer.code == '202' && fields && Recording::WORD.match?(fields['import'].to_s)

      refuse(answer, fields)
      raise Deleted, words(answer, fields) if answer.code == '409'

      raise NotTaken.new(words(answer, fields), wait_of(answer))
    ensure
      tarball.close
    end

    # The token of a request about a recording: a JWT, signed with HMAC-SHA256.
    def token(id)
      claims = { 'iss' => @settings.server, 'sub' => id, 'aud' => @uri.hostname, 'exp' => Time.now.to_i + VALID }
      text = [{ 'alg' => 'HS256', 'typ' => 'JWT' }, claims].map { |part| encode(JSON.generate(part)) }.join('.')
      "#{text}.#{encode(OpenSSL::HMAC.digest('SHA256', @secret, text))}"
    end

    private

    def encode(bytes)
      [bytes].pack('m0').tr('+/', '-_').delete('=')
    end

    def headers(id)
      { 'Authorization' => "Bearer #{token(id)}", 'User-Agent' => 'scalelite-send', 'Accept' => 'application/json' }
    end

    def get(id, path)
      answer = exchange(Net::HTTP::Get.new(@uri.path + path, headers(id)), READ_TIMEOUT)
      fields = fields_of(answer)
      return fields if answer.code == '200' && fields

      refuse(answer, fields)
      return nil if answer.code == '404'

      raise Away, words(answer, fields) if AWAY.include?(answer.code)

      raise NotTaken.new("the load balancer cannot tell about it: #{words(answer, fields)}", wait_of(answer))
    end

    def exchange(request, timeout)
      connected = false
      http = Net::HTTP.new(@uri.hostname, @uri.port)
      configure(http, timeout)
      answer = http.start do
        connected = true
        http.request(request)
      end
      note_skew(answer)
      answer
    rescue OpenSSL::SSL::SSLError => e
      raise Away, "no secure connection to #{@uri.hostname}: #{e.message}" unless connected

      broken(request, e)
    rescue SystemCallError, SocketError, IOError, Timeout::Error, Net::ProtocolError => e
      raise Away, "#{@uri.hostname}, port #{@uri.port}, cannot be reached: #{e.message}" unless connected

      broken(request, e)
    end

    def configure(http, timeout)
      http.use_ssl = @uri.scheme == 'https'
      http.ca_file = @settings.ca_file if @settings.ca_file
      http.open_timeout = OPEN_TIMEOUT
      http.read_timeout = timeout
      http.write_timeout = WRITE_TIMEOUT if http.respond_to?(:write_timeout=) # Ruby 2.6
      http.continue_timeout = CONTINUE_TIMEOUT
      http.max_retries = 0
    end

    def broken(request, cause)
      raise Away, "the connection to #{@uri.hostname} broke: #{cause.message}" unless request.body_stream

      raise NotTaken, "the connection broke after #{request.body_stream.position} of #{request.body_stream.size} bytes: #{cause.message}"
    end

    def note_skew(answer)
      @skew = (Time.now - Time.httpdate(answer['Date'])).round if answer['Date']
    rescue ArgumentError
      @skew = nil
    end

    def fields_of(answer)
      return nil unless answer.content_type == 'application/json' && answer.body.to_s.bytesize <= MAX_ANSWER

      fields = JSON.parse(answer.body)
      fields if fields.is_a?(Hash)
    rescue JSON::ParserError
      nil
    end

    # The answers that will be the same for every recording.
    def refuse(answer, fields)
      case answer.code.to_i
      when 401 then raise Refused, unauthorised
      when 403 then raise Refused, "the load balancer does not answer to the name #{@uri.hostname}: #{words(answer, fields)}"
      when 300..399 then raise Refused, "#{@settings.balancer} leads to #{answer['Location']}; that address should be in #{Settings::FILE}"
      when 200, 404, 405
        raise Refused, "what answers at #{@settings.balancer} is no scalelite that takes recordings (HTTP #{answer.code})" unless fields
        raise Refused, "the load balancer takes no recordings: #{words(answer, fields)}" if words(answer, fields).include?('switched off')
      end
    end

    def unauthorised
      text = 'the load balancer refuses our token: it knows this server under another host than ' \
             "#{@settings.server}, or with another secret than 'bbb-conf --secret' prints here"
      return text unless @skew && @skew.abs > SKEW

      "#{text}; or it is the clock, which is #{@skew.abs} s #{@skew.positive? ? 'ahead of' : 'behind'} the load balancer's"
    end

    def words(answer, fields)
      error = fields && fields['error']
      error.is_a?(String) ? error : "HTTP #{answer.code} #{answer.message}"
    end

    def wait_of(answer)
      seconds = answer['Retry-After'].to_i
      return seconds if seconds.positive?

      answer.code == '413' ? 6 * 3600 : nil
    end
  end
end
