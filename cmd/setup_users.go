package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
)

// unknownID is the number of a user or group that a dry run does not make.
const unknownID = -1

func (s *setup) makeGroup(ctx context.Context) error {
	thing := "group " + spoolGroup
	id, err := s.groupID(ctx, spoolGroup)
	if err == nil {
		s.group = id
		s.tell("", fmt.Sprintf("%s (%d)", thing, id))
		return nil
	}
	if !errors.Is(err, errNoEntry) {
		return err
	}
	args := []string{"--system", spoolGroup}
	switch _, err := s.groupID(ctx, strconv.Itoa(spoolGroupID)); {
	case errors.Is(err, errNoEntry):
		args = []string{"--gid", strconv.Itoa(spoolGroupID), spoolGroup}
	case err != nil:
		return err
	}
	s.group = unknownID
	if !s.dry {
		if _, err := s.system(ctx, "groupadd", args...); err != nil {
			return err
		}
		if s.group, err = s.groupID(ctx, spoolGroup); err != nil {
			return err
		}
		thing = fmt.Sprintf("%s (%d)", thing, s.group)
	}
	s.tell("made", thing)
	return nil
}

func (s *setup) makeService(ctx context.Context) (err error) {
	home := filepath.Dir(abs(s.loaded.Config.Store.Path))
	s.service, err = s.user(ctx, s.serviceName, "--home-dir", home, "--no-create-home", "--shell", "/usr/sbin/nologin", "--comment", "Load balancer for BigBlueButton")
	if err != nil {
		return err
	}
	s.joined = !slices.Contains(s.service.groups, s.group)
	s.service, err = s.join(ctx, s.service)
	return err
}

// makeSender: without the *, sshd could take the account for a locked one.
func (s *setup) makeSender(ctx context.Context) (err error) {
	s.sender, err = s.user(ctx, s.senderName, "--home-dir", "/home/"+s.senderName, "--no-create-home", "--shell", "/bin/sh", "--password", "*",
		"--comment", "BBB servers send recordings")
	if err != nil {
		return err
	}
	if s.sender, err = s.join(ctx, s.sender); err != nil || !s.sender.noLogin() {
		return err
	}
	if !s.dry {
		if _, err := s.system(ctx, "usermod", "--shell", "/bin/sh", s.sender.name); err != nil {
			return err
		}
		s.sender.shell = "/bin/sh"
	}
	s.tell("changed", fmt.Sprintf("user %s has a shell, without which sshd runs nothing", s.sender.name))
	return nil
}

// user looks a user up, or makes it with these arguments of useradd.
func (s *setup) user(ctx context.Context, name string, args ...string) (account, error) {
	u, err := s.account(ctx, name)
	if err == nil {
		s.tell("", "user "+name)
		return u, nil
	}
	if !errors.Is(err, errNoEntry) {
		return u, err
	}
	args = append([]string{"--system"}, args...)
	switch _, err := s.groupID(ctx, name); {
	case err == nil:
		args = append(args, "--gid", name)
	case errors.Is(err, errNoEntry):
		args = append(args, "--user-group")
	default:
		return u, err
	}
	s.tell("made", "user "+name)
	if s.dry {
		return account{name: name, uid: unknownID, gid: unknownID, home: "/home/" + name, shell: "/bin/sh"}, nil
	}
	if _, err := s.system(ctx, "useradd", append(args, name)...); err != nil {
		return u, err
	}
	return s.account(ctx, name)
}

// join makes a user a member of the spool's group.
func (s *setup) join(ctx context.Context, u account) (account, error) {
	thing := fmt.Sprintf("user %s in the group %s", u.name, spoolGroup)
	if s.group != unknownID && slices.Contains(u.groups, s.group) {
		s.tell("", thing)
		return u, nil
	}
	s.tell("made", thing)
	if s.dry {
		return u, nil
	}
	if _, err := s.system(ctx, "usermod", "--append", "--groups", spoolGroup, u.name); err != nil {
		return u, err
	}
	return s.account(ctx, u.name)
}
